//! How much of roles a tenant may have (rbac.md §1, §2). A setting, so that a test reaches them.

#[derive(Clone, Debug)]
pub struct RoleLimits {
    pub assignments_in_a_subscription: usize,
    pub assignments_in_a_management_group: usize,
    pub custom_roles: usize,
}

impl Default for RoleLimits {
    fn default() -> Self {
        RoleLimits {
            assignments_in_a_subscription: 4000,
            assignments_in_a_management_group: 500,
            custom_roles: 5000,
        }
    }
}
