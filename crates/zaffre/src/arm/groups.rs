//! Resource Manager's own types: resource groups, deployments and their stacks, template specs and tags. Groups are rows like other resources, under the
//! one name that has no `/providers/` before it.

use azure::api_version::ApiVersion;

use super::{
    deployments,
    kind::{Kind, Located, Patch, Place, Provider},
    scope_tags, template_specs,
};

const fn v(text: &'static str) -> ApiVersion {
    ApiVersion::of(text)
}

/// Recorded in 2023 (arm.md §2), and what clients use since.
pub(super) static VERSIONS: [ApiVersion; 60] = [
    v("2013-03-01"),
    v("2014-01-01"),
    v("2014-02-26"),
    v("2014-04-01-preview"),
    v("2014-04-01"),
    v("2015-01-01"),
    v("2015-11-01"),
    v("2016-02-01"),
    v("2016-06-01"),
    v("2016-07-01"),
    v("2016-09-01"),
    v("2017-03-01"),
    v("2017-05-01"),
    v("2017-05-10"),
    v("2017-06-01"),
    v("2017-08-01"),
    v("2017-12-01"),
    v("2018-01-01"),
    v("2018-02-01"),
    v("2018-05-01"),
    v("2018-06-01"),
    v("2018-07-01"),
    v("2018-08-01"),
    v("2018-09-01"),
    v("2018-11-01"),
    v("2019-03-01"),
    v("2019-05-01"),
    v("2019-05-10"),
    v("2019-06-01"),
    v("2019-07-01"),
    v("2019-08-01"),
    v("2019-09-01"),
    v("2019-10-01"),
    v("2019-11-01"),
    v("2020-01-01"),
    v("2020-05-01"),
    v("2020-06-01"),
    v("2020-07-01"),
    v("2020-08-01"),
    v("2020-09-01"),
    v("2020-10-01"),
    v("2021-01-01"),
    v("2021-04-01"),
    v("2022-01-01"),
    v("2022-03-01-preview"),
    v("2022-05-01"),
    v("2022-06-01"),
    v("2022-09-01"),
    v("2022-11-01-preview"),
    v("2022-12-01"),
    v("2023-03-01-preview"),
    v("2023-07-01-preview"),
    v("2023-07-01"),
    v("2024-03-01"),
    v("2024-06-01-preview"),
    v("2024-07-01"),
    v("2024-08-01"),
    v("2024-11-01"),
    v("2025-03-01"),
    v("2025-04-01"),
];

/// Since when a group's document names its type: it did not in 2019-07-01, it did in 2020-10-01 (arm.md §2).
pub(super) static TYPED_SINCE: ApiVersion = v("2019-08-01");

static KINDS: [Kind; 6] = [
    Kind {
        place: Place::Subscription,
        location: Located::Required,
        patch: Patch::TagsOnly,
        ..Kind::tracked("resourceGroups", &VERSIONS)
    },
    deployments::kind(&VERSIONS),
    Kind::extension("tags", &VERSIONS, &scope_tags::OWN),
    deployments::stacks::KIND,
    template_specs::SPEC,
    template_specs::VERSION,
];

/// Resource Manager's own types, as a provider.
pub static PROVIDER: Provider = Provider {
    namespace: "Microsoft.Resources",
    kinds: &KINDS,
    functions: &deployments::FUNCTIONS,
    data: Vec::new,
};

pub(super) fn kind() -> &'static Kind {
    &KINDS[0]
}
