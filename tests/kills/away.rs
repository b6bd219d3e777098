//! A database that nodes cannot reach.

use crate::place::{Place, role_of_nodes};

impl Place {
    /// Throws nodes off their database, which lets them in no more, or again.
    pub async fn shut_nodes_out(&self, is_out: bool) {
        let Some(postgres) = &self.postgres else { return };
        let role = role_of_nodes(postgres);
        let may = if is_out { "NOLOGIN" } else { "LOGIN" };
        postgres.run(&format!("ALTER ROLE {role} {may}")).await;
        if is_out {
            let of_nodes = format!("FROM pg_stat_activity WHERE usename = '{role}'");
            postgres.run(&format!("SELECT pg_terminate_backend(pid) {of_nodes}")).await;
        }
    }
}
