//! Azure's rules, and nothing else.
pub mod action;
pub mod api_version;
pub mod cosmos_key;
pub mod cosmos_roles;
pub mod error;
pub mod identity;
pub mod ids;
pub mod jwt;
pub mod locations;
pub mod names;
pub mod odata;
pub mod principal;
pub mod rbac;
pub mod roles;
pub mod shared_key;
pub mod text;
pub mod time;
