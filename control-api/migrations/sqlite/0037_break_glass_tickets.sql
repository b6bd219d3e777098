-- Which tickets were given out under a broken glass: when it is closed, they are taken back.

CREATE TABLE break_glass_tickets (
    tenant      TEXT NOT NULL,
    break_glass TEXT NOT NULL,
    ticket      TEXT NOT NULL,
    PRIMARY KEY (tenant, break_glass, ticket),
    FOREIGN KEY (tenant, break_glass) REFERENCES break_glasses (tenant, id),
    FOREIGN KEY (tenant, ticket) REFERENCES tickets (tenant, id)
) STRICT, WITHOUT ROWID;
