//! Resource Manager.

pub mod codes;
pub mod kind;
