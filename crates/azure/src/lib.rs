//! Azure's rules, and nothing else.
pub mod action;
pub mod api_version;
pub mod cosmos_roles;
pub mod error;
pub mod identity;
pub mod ids;
pub mod jwt;
pub mod names;
pub mod principal;
pub mod rbac;
pub mod roles;
pub mod text;
pub mod time;
