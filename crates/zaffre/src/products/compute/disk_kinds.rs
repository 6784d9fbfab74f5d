//! What disks may be: their SKUs, and what each gives for its size.
//!
//! Names are Azure's; figures are those of its public table of managed disk types (as remembered, unverified). No guest is made
//! any faster or slower by them: clients show them, and templates are checked against the names.

/// A SKU of disks: its name, the tier it belongs to, and its sizes.
pub(super) struct Sku {
    pub(super) name: &'static str,
    pub(super) tier: &'static str,
    steps: &'static [Step],
}

/// Up to so many GiB: the performance tier's name, where it has one, operations a second, megabytes a second.
struct Step(u64, Option<&'static str>, u32, u32);

/// What a disk of some size gives.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Performance {
    pub(super) tier: Option<&'static str>,
    pub(super) operations_per_second: u32,
    pub(super) megabytes_per_second: u32,
}

/// The smallest and the largest disk, in GiB.
pub(super) const SIZES_GB: (u64, u64) = (1, 32_767);

static PREMIUM: &[Step] = &[
    Step(4, Some("P1"), 120, 25),
    Step(8, Some("P2"), 120, 25),
    Step(16, Some("P3"), 120, 25),
    Step(32, Some("P4"), 120, 25),
    Step(64, Some("P6"), 240, 50),
    Step(128, Some("P10"), 500, 100),
    Step(256, Some("P15"), 1100, 125),
    Step(512, Some("P20"), 2300, 150),
    Step(1024, Some("P30"), 5000, 200),
    Step(2048, Some("P40"), 7500, 250),
    Step(4096, Some("P50"), 7500, 250),
    Step(8192, Some("P60"), 16_000, 500),
    Step(16_384, Some("P70"), 18_000, 750),
    Step(32_767, Some("P80"), 20_000, 900),
];

static STANDARD: &[Step] =
    &[Step(4096, None, 500, 60), Step(8192, None, 1300, 300), Step(32_767, None, 2000, 500)];

static STANDARD_SSD: &[Step] = &[
    Step(4096, None, 500, 100),
    Step(8192, None, 2000, 400),
    Step(16_384, None, 4000, 600),
    Step(32_767, None, 6000, 750),
];

static CHOSEN: &[Step] = &[Step(32_767, None, 3000, 125)];

pub(super) static SKUS: &[Sku] = &[
    Sku { name: "Standard_LRS", tier: "Standard", steps: STANDARD },
    Sku { name: "StandardSSD_LRS", tier: "Standard", steps: STANDARD_SSD },
    Sku { name: "StandardSSD_ZRS", tier: "Standard", steps: STANDARD_SSD },
    Sku { name: "Premium_LRS", tier: "Premium", steps: PREMIUM },
    Sku { name: "Premium_ZRS", tier: "Premium", steps: PREMIUM },
    Sku { name: "PremiumV2_LRS", tier: "Premium", steps: CHOSEN },
    Sku { name: "UltraSSD_LRS", tier: "Ultra", steps: CHOSEN },
];

/// By its name, in any case.
pub(super) fn sku(name: &str) -> Option<&'static Sku> {
    SKUS.iter().find(|it| it.name.eq_ignore_ascii_case(name))
}

impl Sku {
    pub(super) fn performance(&self, size_gb: u64) -> Performance {
        let step = self.steps.iter().find(|it| size_gb <= it.0).or(self.steps.last());
        let Step(_, tier, operations, megabytes) = step.expect("a SKU has sizes");
        Performance { tier: *tier, operations_per_second: *operations, megabytes_per_second: *megabytes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_gives_what_its_sku_gives_for_its_size() {
        for (name, size_gb, tier, operations) in [
            ("premium_lrs", 30, Some("P4"), 120),
            ("Premium_LRS", 1024, Some("P30"), 5000),
            ("Premium_LRS", 1025, Some("P40"), 7500),
            ("Premium_ZRS", 99_999, Some("P80"), 20_000),
            ("Standard_LRS", 30, None, 500),
            ("UltraSSD_LRS", 4, None, 3000),
        ] {
            let given = sku(name).expect("is one of them").performance(size_gb);
            assert_eq!((given.tier, given.operations_per_second), (tier, operations), "{name} {size_gb}");
        }
        assert!(sku("Fast_LRS").is_none());
    }

    #[test]
    fn sizes_rise_to_the_largest_disk() {
        for sku in SKUS {
            assert!(sku.steps.is_sorted_by_key(|it| it.0), "{}", sku.name);
            assert_eq!(sku.steps.last().map(|it| it.0), Some(SIZES_GB.1), "{}", sku.name);
        }
    }
}
