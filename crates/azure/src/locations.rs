//! Azure's regions, and how a location is written.
//!
//! `West US`, `west us` and `westus` are one location; answers print the short form. The rows were
//! written from general knowledge of the public list of regions and are not checked against a
//! recording (unverified); coordinates are those the list gives, as text, because ARM prints text.

use std::borrow::Cow;

/// A region, as `GET /subscriptions/{id}/locations` tells of it (arm.md §9).
#[derive(Debug, PartialEq, Eq)]
pub struct Region {
    pub name: &'static str,
    pub display_name: &'static str,
    /// `US`, `Europe`, …
    pub geography_group: &'static str,
    /// `United States`, `Germany`, …
    pub geography: &'static str,
    pub physical_location: &'static str,
    pub category: Category,
    pub latitude: &'static str,
    pub longitude: &'static str,
    /// Where it fails over to. Newer regions have none.
    pub pair: Option<&'static str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Category {
    Recommended,
    Other,
}

impl Category {
    pub const fn as_str(self) -> &'static str {
        match self {
            Category::Recommended => "Recommended",
            Category::Other => "Other",
        }
    }
}

impl Region {
    /// `(US) West US`.
    pub fn regional_display_name(&self) -> String {
        format!("({}) {}", self.geography_group, self.display_name)
    }
}

/// The short form of a location: lower case, no blanks. Says nothing of whether there is one.
pub fn normalize(text: &str) -> Cow<'_, str> {
    let is_short = !text.bytes().any(|byte| byte == b' ' || byte.is_ascii_uppercase());
    if is_short { Cow::Borrowed(text) } else { Cow::Owned(text.replace(' ', "").to_ascii_lowercase()) }
}

/// The region of a location, however it is written.
pub fn region(text: &str) -> Option<&'static Region> {
    let name = normalize(text);
    REGIONS.iter().find(|region| region.name == name)
}

/// A row: names, where it lies, its place on the map, its pair ("" for none).
const fn row(
    category: Category,
    [name, display_name]: [&'static str; 2],
    [geography_group, geography, physical_location]: [&'static str; 3],
    [latitude, longitude]: [&'static str; 2],
    pair: &'static str,
) -> Region {
    let pair = if pair.is_empty() { None } else { Some(pair) };
    Region {
        name,
        display_name,
        geography_group,
        geography,
        physical_location,
        category,
        latitude,
        longitude,
        pair,
    }
}

const R: Category = Category::Recommended;
const O: Category = Category::Other;

#[rustfmt::skip]
pub static REGIONS: [Region; 56] = [
    row(R, ["eastus", "East US"], ["US", "United States", "Virginia"], ["37.3719", "-79.8164"], "westus"),
    row(R, ["eastus2", "East US 2"], ["US", "United States", "Virginia"], ["36.6681", "-78.3889"], "centralus"),
    row(R, ["southcentralus", "South Central US"], ["US", "United States", "Texas"], ["29.4167", "-98.5"], "northcentralus"),
    row(R, ["westus2", "West US 2"], ["US", "United States", "Washington"], ["47.233", "-119.852"], "westcentralus"),
    row(R, ["westus3", "West US 3"], ["US", "United States", "Phoenix"], ["33.448376", "-112.074036"], "eastus"),
    row(R, ["australiaeast", "Australia East"], ["Asia Pacific", "Australia", "New South Wales"], ["-33.86", "151.2094"], "australiasoutheast"),
    row(R, ["southeastasia", "Southeast Asia"], ["Asia Pacific", "Asia Pacific", "Singapore"], ["1.283", "103.833"], "eastasia"),
    row(R, ["northeurope", "North Europe"], ["Europe", "Europe", "Ireland"], ["53.3478", "-6.2597"], "westeurope"),
    row(R, ["swedencentral", "Sweden Central"], ["Europe", "Sweden", "Gävle"], ["60.67488", "17.14127"], "swedensouth"),
    row(R, ["uksouth", "UK South"], ["Europe", "United Kingdom", "London"], ["50.941", "-0.799"], "ukwest"),
    row(R, ["westeurope", "West Europe"], ["Europe", "Europe", "Netherlands"], ["52.3667", "4.9"], "northeurope"),
    row(R, ["centralus", "Central US"], ["US", "United States", "Iowa"], ["41.5908", "-93.6208"], "eastus2"),
    row(R, ["southafricanorth", "South Africa North"], ["Africa", "South Africa", "Johannesburg"], ["-25.73134", "28.21837"], "southafricawest"),
    row(R, ["centralindia", "Central India"], ["Asia Pacific", "India", "Pune"], ["18.5822", "73.9197"], "southindia"),
    row(R, ["eastasia", "East Asia"], ["Asia Pacific", "Asia Pacific", "Hong Kong"], ["22.267", "114.188"], "southeastasia"),
    row(R, ["indonesiacentral", "Indonesia Central"], ["Asia Pacific", "Indonesia", "Jakarta"], ["-6.2", "106.816666"], ""),
    row(R, ["japaneast", "Japan East"], ["Asia Pacific", "Japan", "Tokyo, Saitama"], ["35.68", "139.77"], "japanwest"),
    row(R, ["japanwest", "Japan West"], ["Asia Pacific", "Japan", "Osaka"], ["34.6939", "135.5022"], "japaneast"),
    row(R, ["koreacentral", "Korea Central"], ["Asia Pacific", "Korea", "Seoul"], ["37.5665", "126.978"], "koreasouth"),
    row(R, ["malaysiawest", "Malaysia West"], ["Asia Pacific", "Malaysia", "Kuala Lumpur"], ["3.140853", "101.693207"], ""),
    row(R, ["newzealandnorth", "New Zealand North"], ["Asia Pacific", "New Zealand", "Auckland"], ["-36.84853", "174.76349"], ""),
    row(R, ["canadacentral", "Canada Central"], ["Canada", "Canada", "Toronto"], ["43.653", "-79.383"], "canadaeast"),
    row(R, ["austriaeast", "Austria East"], ["Europe", "Austria", "Vienna"], ["48.2201", "16.3797"], ""),
    row(R, ["belgiumcentral", "Belgium Central"], ["Europe", "Belgium", "Brussels"], ["50.85045", "4.34878"], ""),
    row(R, ["francecentral", "France Central"], ["Europe", "France", "Paris"], ["46.3772", "2.373"], "francesouth"),
    row(R, ["germanywestcentral", "Germany West Central"], ["Europe", "Germany", "Frankfurt"], ["50.110924", "8.682127"], "germanynorth"),
    row(R, ["italynorth", "Italy North"], ["Europe", "Italy", "Milan"], ["45.46888", "9.18109"], ""),
    row(R, ["norwayeast", "Norway East"], ["Europe", "Norway", "Norway"], ["59.913868", "10.752245"], "norwaywest"),
    row(R, ["polandcentral", "Poland Central"], ["Europe", "Poland", "Warsaw"], ["52.23334", "21.01666"], ""),
    row(R, ["spaincentral", "Spain Central"], ["Europe", "Spain", "Madrid"], ["40.4259", "-3.4209"], ""),
    row(R, ["switzerlandnorth", "Switzerland North"], ["Europe", "Switzerland", "Zurich"], ["47.451542", "8.564572"], "switzerlandwest"),
    row(R, ["mexicocentral", "Mexico Central"], ["Mexico", "Mexico", "Querétaro State"], ["20.588818", "-100.389888"], ""),
    row(R, ["uaenorth", "UAE North"], ["Middle East", "UAE", "Dubai"], ["25.266666", "55.316666"], "uaecentral"),
    row(R, ["brazilsouth", "Brazil South"], ["South America", "Brazil", "Sao Paulo State"], ["-23.55", "-46.633"], "southcentralus"),
    row(R, ["chilecentral", "Chile Central"], ["South America", "Chile", "Santiago"], ["-33.447487", "-70.673676"], ""),
    row(R, ["israelcentral", "Israel Central"], ["Middle East", "Israel", "Israel"], ["31.2655698", "33.4506633"], ""),
    row(R, ["qatarcentral", "Qatar Central"], ["Middle East", "Qatar", "Doha"], ["25.551462", "51.439327"], ""),
    row(O, ["northcentralus", "North Central US"], ["US", "United States", "Illinois"], ["41.8819", "-87.6278"], "southcentralus"),
    row(O, ["westus", "West US"], ["US", "United States", "California"], ["37.783", "-122.417"], "eastus"),
    row(O, ["westcentralus", "West Central US"], ["US", "United States", "Wyoming"], ["40.89", "-110.234"], "westus2"),
    row(O, ["southafricawest", "South Africa West"], ["Africa", "South Africa", "Cape Town"], ["-34.075691", "18.843266"], "southafricanorth"),
    row(O, ["australiacentral", "Australia Central"], ["Asia Pacific", "Australia", "Canberra"], ["-35.3075", "149.1244"], "australiacentral2"),
    row(O, ["australiacentral2", "Australia Central 2"], ["Asia Pacific", "Australia", "Canberra"], ["-35.3075", "149.1244"], "australiacentral"),
    row(O, ["australiasoutheast", "Australia Southeast"], ["Asia Pacific", "Australia", "Victoria"], ["-37.8136", "144.9631"], "australiaeast"),
    row(O, ["koreasouth", "Korea South"], ["Asia Pacific", "Korea", "Busan"], ["35.1796", "129.0756"], "koreacentral"),
    row(O, ["southindia", "South India"], ["Asia Pacific", "India", "Chennai"], ["12.9822", "80.1636"], "centralindia"),
    row(O, ["westindia", "West India"], ["Asia Pacific", "India", "Mumbai"], ["19.088", "72.868"], "southindia"),
    row(O, ["canadaeast", "Canada East"], ["Canada", "Canada", "Quebec"], ["46.817", "-71.217"], "canadacentral"),
    row(O, ["francesouth", "France South"], ["Europe", "France", "Marseille"], ["43.8345", "2.1972"], "francecentral"),
    row(O, ["germanynorth", "Germany North"], ["Europe", "Germany", "Berlin"], ["53.073635", "8.806422"], "germanywestcentral"),
    row(O, ["norwaywest", "Norway West"], ["Europe", "Norway", "Norway"], ["58.969975", "5.733107"], "norwayeast"),
    row(O, ["swedensouth", "Sweden South"], ["Europe", "Sweden", "Malmö"], ["55.6059", "13.0007"], "swedencentral"),
    row(O, ["switzerlandwest", "Switzerland West"], ["Europe", "Switzerland", "Geneva"], ["46.204391", "6.143158"], "switzerlandnorth"),
    row(O, ["ukwest", "UK West"], ["Europe", "United Kingdom", "Cardiff"], ["53.427", "-3.084"], "uksouth"),
    row(O, ["uaecentral", "UAE Central"], ["Middle East", "UAE", "Abu Dhabi"], ["24.466667", "54.366669"], "uaenorth"),
    row(O, ["brazilsoutheast", "Brazil Southeast"], ["South America", "Brazil", "Rio"], ["-22.90278", "-43.2075"], "brazilsouth"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_is_found_however_it_is_written() {
        for text in ["West US", "westus", "WESTUS", "west us", "WestUS"] {
            assert_eq!(region(text).map(|region| region.display_name), Some("West US"), "{text}");
        }
        for text in ["", "west", "global", "west-us"] {
            assert_eq!(region(text), None, "{text}");
        }
        assert!(matches!(normalize("westus"), Cow::Borrowed("westus")));
        assert_eq!(region("westus").map(Region::regional_display_name).as_deref(), Some("(US) West US"));
    }

    #[test]
    fn each_row_is_one_region_named_as_it_is_displayed() {
        for (at, row) in REGIONS.iter().enumerate() {
            assert_eq!(normalize(row.display_name), row.name);
            assert!(!REGIONS[..at].iter().any(|other| other.name == row.name), "{}", row.name);
            assert!(row.latitude.parse::<f64>().is_ok_and(|it| it.abs() < 90.0), "{}", row.name);
            assert!(row.longitude.parse::<f64>().is_ok_and(|it| it.abs() < 180.0), "{}", row.name);
        }
    }

    #[test]
    fn pairs_lie_in_the_table_and_all_but_some_are_mutual() {
        let one_way: Vec<&str> = REGIONS
            .iter()
            .filter(|row| {
                let back = row.pair.map(|pair| region(pair).expect("a pair is a region").pair);
                back.is_some_and(|back| back != Some(row.name))
            })
            .map(|row| row.name)
            .collect();
        assert_eq!(one_way, ["westus3", "brazilsouth", "westindia", "brazilsoutheast"]);
    }
}
