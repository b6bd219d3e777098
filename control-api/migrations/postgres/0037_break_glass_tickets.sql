-- Which tickets were given out under a broken glass: when it is closed, they are taken back.

CREATE TABLE break_glass_tickets (
    tenant      TEXT NOT NULL,
    break_glass TEXT NOT NULL,
    ticket      TEXT NOT NULL,
    PRIMARY KEY (tenant, break_glass, ticket),
    FOREIGN KEY (tenant, break_glass) REFERENCES break_glasses (tenant, id),
    FOREIGN KEY (tenant, ticket) REFERENCES tickets (tenant, id)
);

ALTER TABLE break_glass_tickets ENABLE ROW LEVEL SECURITY;
ALTER TABLE break_glass_tickets FORCE ROW LEVEL SECURITY;
CREATE POLICY of_the_tenant ON break_glass_tickets
    USING (tenant = current_tenant()) WITH CHECK (tenant = current_tenant());
GRANT SELECT, INSERT ON break_glass_tickets TO consilium_service;
