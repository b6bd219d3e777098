//! The control API over both databases. One binary: to link a dozen takes longer than to run them.

mod anonymous;
mod api;
mod audit_log;
mod behalf;
mod booking;
mod break_glass;
mod break_glass_list;
mod clients;
mod custody;
mod door;
mod guest_links;
mod idempotency;
mod matrix;
mod openapi;
mod origins;
mod people;
mod requests;
mod roles;
mod scopes;
mod sessions;
mod sign_in;
mod support;
mod tampering;
mod tenants;
mod visits;
mod webhooks;
