//! What is asked of the account as a whole.

use azure::error::Result;

use super::{
    list::{self, ContainerPage},
    op::Op,
    xml::Xml,
};
use crate::{
    products::storage::keys::Account,
    service::{Cx, Reply},
};

pub(super) fn information(account: &Account) -> Reply {
    Reply::new(200)
        .with("x-ms-sku-name", &account.settings.sku)
        .with("x-ms-account-kind", &account.settings.kind)
        .with("x-ms-is-hns-enabled", "false")
}

pub(super) async fn containers(cx: &Cx, op: &Op, page: &ContainerPage) -> Result<Reply> {
    let xml = cx.read(|txn| Ok(list::containers(txn, op, page)?)).await?;
    Ok(Reply::new(200).typed("application/xml", xml))
}

/// The service's properties. None of them can be set yet, so these are every account's.
pub(super) fn service_properties(account: &Account) -> Reply {
    let mut xml = Xml::new();
    xml.open("StorageServiceProperties");
    xml.open("Logging");
    xml.element("Version", "1.0");
    for operation in ["Read", "Write", "Delete"] {
        xml.element(operation, "false");
    }
    print_no_retention(&mut xml, "RetentionPolicy");
    xml.close("Logging");
    for metrics in ["HourMetrics", "MinuteMetrics"] {
        xml.open(metrics);
        xml.element("Version", "1.0");
        xml.element("Enabled", "false");
        print_no_retention(&mut xml, "RetentionPolicy");
        xml.close(metrics);
    }
    xml.element("Cors", "");
    if let Some(version) = &account.settings.default_version {
        xml.element("DefaultServiceVersion", version);
    }
    print_no_retention(&mut xml, "DeleteRetentionPolicy");
    xml.open("StaticWebsite");
    xml.element("Enabled", "false");
    xml.close("StaticWebsite");
    xml.close("StorageServiceProperties");
    Reply::new(200).typed("application/xml", xml.finish())
}

fn print_no_retention(xml: &mut Xml, name: &str) {
    xml.open(name);
    xml.element("Enabled", "false");
    xml.close(name);
}
