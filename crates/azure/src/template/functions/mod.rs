//! Every function of the template language: one table.
//!
//! A row says how many arguments there may be and what is done with them. Most are plain: values in, a
//! value out. Some look at their scope; some are lazy, because an argument may never be evaluated, is a
//! lambda, or waits for the runtime. Names are found without regard to case.

mod array;
mod cidr;
mod date;
mod dotnet;
mod format;
mod hash;
mod lambda;
mod logic;
mod numeric;
mod object;
mod reference;
mod resource_id;
mod scope;
mod text;

use serde_json::{Map, Value};

use super::{
    ast::Call,
    codes,
    evaluate::{Outcome, Scope},
};
use crate::error::{Error, Result};

pub(in crate::template) use hash::murmur_hash_64;

/// One function.
pub(super) struct Function {
    /// As Azure spells it.
    pub name: &'static str,
    pub least: usize,
    pub most: usize,
    pub run: Run,
}

pub(super) enum Run {
    Plain(fn(&Arguments<'_>) -> Result<Value>),
    Scoped(fn(&Scope<'_>, &Arguments<'_>) -> Result<Value>),
    Lazy(fn(&Scope<'_>, &Call) -> Result<Outcome>),
}

const ANY: usize = usize::MAX;

const fn plain(
    name: &'static str,
    least: usize,
    most: usize,
    run: fn(&Arguments<'_>) -> Result<Value>,
) -> Function {
    Function { name, least, most, run: Run::Plain(run) }
}

const fn scoped(
    name: &'static str,
    least: usize,
    most: usize,
    run: fn(&Scope<'_>, &Arguments<'_>) -> Result<Value>,
) -> Function {
    Function { name, least, most, run: Run::Scoped(run) }
}

const fn lazy(
    name: &'static str,
    least: usize,
    most: usize,
    run: fn(&Scope<'_>, &Call) -> Result<Outcome>,
) -> Function {
    Function { name, least, most, run: Run::Lazy(run) }
}

pub(super) static FUNCTIONS: &[Function] = &[
    plain("add", 2, 2, numeric::add),
    plain("and", 2, ANY, logic::and),
    plain("array", 1, 1, array::array),
    plain("base64", 1, 1, text::base64),
    plain("base64ToJson", 1, 1, text::base64_to_json),
    plain("base64ToString", 1, 1, text::base64_to_string),
    plain("bool", 1, 1, logic::bool),
    plain("cidrHost", 2, 2, cidr::host),
    plain("cidrSubnet", 3, 3, cidr::subnet),
    plain("coalesce", 1, ANY, logic::coalesce),
    plain("concat", 0, ANY, array::concat),
    plain("contains", 2, 2, array::contains),
    lazy("copyIndex", 0, 2, scope::copy_index),
    plain("createArray", 0, ANY, array::create_array),
    plain("createObject", 0, ANY, object::create_object),
    plain("dataUri", 1, 1, text::data_uri),
    plain("dataUriToString", 1, 1, text::data_uri_to_string),
    plain("dateTimeAdd", 2, 3, date::date_time_add),
    plain("dateTimeFromEpoch", 1, 1, date::date_time_from_epoch),
    plain("dateTimeToEpoch", 1, 1, date::date_time_to_epoch),
    scoped("deployer", 0, 0, scope::deployer),
    scoped("deployment", 0, 0, scope::deployment),
    plain("div", 2, 2, numeric::div),
    plain("empty", 1, 1, array::empty),
    plain("endsWith", 2, 2, text::ends_with),
    scoped("environment", 0, 0, scope::environment),
    plain("equals", 2, 2, logic::equals),
    plain("extensionResourceId", 3, ANY, resource_id::extension),
    plain("fail", 1, 1, logic::fail),
    plain("false", 0, 0, logic::no),
    lazy("filter", 2, 2, lambda::filter),
    plain("first", 1, 1, array::first),
    plain("flatten", 1, 1, array::flatten),
    plain("float", 1, 1, numeric::float),
    plain("format", 1, ANY, format::format),
    plain("greater", 2, 2, logic::greater),
    plain("greaterOrEquals", 2, 2, logic::greater_or_equals),
    lazy("groupBy", 2, 2, lambda::group_by),
    plain("guid", 1, ANY, hash::guid),
    lazy("if", 3, 3, logic::if_),
    plain("indexFromEnd", 2, 2, array::index_from_end),
    plain("indexOf", 2, 2, array::index_of),
    plain("int", 1, 1, numeric::int),
    plain("intersection", 2, ANY, object::intersection),
    plain("items", 1, 1, object::items),
    plain("join", 2, 2, text::join),
    plain("json", 1, 1, object::json),
    lazy("lambda", 1, ANY, lambda::stray),
    lazy("lambdaVariables", 1, 1, lambda::variable),
    plain("last", 1, 1, array::last),
    plain("lastIndexOf", 2, 2, array::last_index_of),
    plain("length", 1, 1, array::length),
    plain("less", 2, 2, logic::less),
    plain("lessOrEquals", 2, 2, logic::less_or_equals),
    scoped("managementGroup", 0, 0, scope::management_group),
    scoped("managementGroupResourceId", 2, ANY, resource_id::management_group),
    lazy("map", 2, 2, lambda::map),
    lazy("mapValues", 2, 2, lambda::map_values),
    plain("max", 1, ANY, numeric::max),
    plain("min", 1, ANY, numeric::min),
    plain("mod", 2, 2, numeric::modulo),
    plain("mul", 2, 2, numeric::mul),
    scoped("newGuid", 0, 0, scope::new_guid),
    plain("not", 1, 1, logic::not),
    plain("null", 0, 0, logic::null),
    plain("objectKeys", 1, 1, object::object_keys),
    plain("or", 2, ANY, logic::or),
    plain("padLeft", 2, 3, text::pad_left),
    lazy("parameters", 1, 1, scope::parameters),
    plain("parseCidr", 1, 1, cidr::parse),
    plain("pickZones", 3, 5, scope::pick_zones),
    scoped("providers", 1, 2, scope::providers),
    plain("range", 2, 2, array::range),
    lazy("reduce", 3, 3, lambda::reduce),
    lazy("reference", 1, 3, reference::reference),
    lazy("references", 1, 2, reference::references),
    plain("replace", 3, 3, text::replace),
    scoped("resourceGroup", 0, 0, scope::resource_group),
    scoped("resourceId", 2, ANY, resource_id::resource),
    plain("shallowMerge", 1, 1, object::shallow_merge),
    plain("skip", 2, 2, array::skip),
    lazy("sort", 2, 2, lambda::sort),
    plain("split", 2, 2, text::split),
    plain("startsWith", 2, 2, text::starts_with),
    plain("string", 1, 1, text::string),
    plain("sub", 2, 2, numeric::sub),
    scoped("subscription", 0, 0, scope::subscription),
    scoped("subscriptionResourceId", 2, ANY, resource_id::subscription),
    plain("substring", 2, 3, text::substring),
    plain("take", 2, 2, array::take),
    scoped("tenant", 0, 0, scope::tenant),
    plain("tenantResourceId", 2, ANY, resource_id::tenant),
    plain("toLower", 1, 1, text::to_lower),
    lazy("toObject", 2, 3, lambda::to_object),
    plain("toUpper", 1, 1, text::to_upper),
    plain("trim", 1, 1, text::trim),
    plain("true", 0, 0, logic::yes),
    plain("tryGet", 2, ANY, object::try_get),
    plain("tryIndexFromEnd", 2, 2, array::try_index_from_end),
    plain("union", 1, ANY, object::union),
    plain("uniqueString", 1, ANY, hash::unique_string),
    plain("uri", 2, 2, text::uri),
    plain("uriComponent", 1, 1, text::uri_component),
    plain("uriComponentToString", 1, 1, text::uri_component_to_string),
    scoped("utcNow", 0, 1, date::utc_now),
    lazy("variables", 1, 1, scope::variables),
];

/// `listKeys`, `listAccountSas`: whatever a provider calls the action.
static LIST: Function = lazy("list*", 1, 3, reference::list);

/// A function by its name.
pub(super) fn find(name: &str) -> Option<&'static Function> {
    let at = FUNCTIONS.binary_search_by_key(&name.to_ascii_lowercase(), |it| it.name.to_ascii_lowercase());
    match at {
        Ok(at) => Some(&FUNCTIONS[at]),
        Err(_) => name.get(..4).filter(|it| it.eq_ignore_ascii_case("list")).map(|_| &LIST),
    }
}

impl Function {
    /// Refuses a call with too few or too many arguments.
    pub(super) fn check(&self, call: &Call) -> Result<()> {
        let given = call.arguments.len();
        if (self.least..=self.most).contains(&given) {
            return Ok(());
        }
        let wanted = match (self.least, self.most) {
            (least, ANY) => format!("at least {least}"),
            (least, most) if least == most => least.to_string(),
            (least, most) => format!("{least} to {most}"),
        };
        Err(codes::ARGUMENTS.with([call.name.clone(), wanted, given.to_string()]))
    }

    pub(super) fn apply(&self, scope: &Scope<'_>, values: &[Value]) -> Result<Value> {
        let arguments = Arguments { function: self.name, values };
        match self.run {
            Run::Plain(run) => run(&arguments),
            Run::Scoped(run) => run(scope, &arguments),
            Run::Lazy(_) => Err(codes::NOT_EXPECTED.with([self.name])),
        }
    }

    /// Whether it asks what the cloud knows.
    pub(super) fn is_of_runtime(&self) -> bool {
        std::ptr::eq(self, &raw const LIST) || matches!(self.name, "reference" | "references")
    }
}

/// What a function was given.
pub(super) struct Arguments<'a> {
    pub function: &'static str,
    pub values: &'a [Value],
}

impl<'a> Arguments<'a> {
    fn len(&self) -> usize {
        self.values.len()
    }

    fn get(&self, at: usize) -> &'a Value {
        self.values.get(at).unwrap_or(&Value::Null)
    }

    /// An argument that may be missing.
    fn maybe(&self, at: usize) -> Option<&'a Value> {
        self.values.get(at)
    }

    fn text(&self, at: usize) -> Result<&'a str> {
        self.get(at).as_str().ok_or_else(|| self.wrong(at, "String"))
    }

    fn int(&self, at: usize) -> Result<i64> {
        self.get(at).as_i64().ok_or_else(|| self.wrong(at, "Integer"))
    }

    fn bool(&self, at: usize) -> Result<bool> {
        self.get(at).as_bool().ok_or_else(|| self.wrong(at, "Boolean"))
    }

    fn array(&self, at: usize) -> Result<&'a Vec<Value>> {
        self.get(at).as_array().ok_or_else(|| self.wrong(at, "Array"))
    }

    fn object(&self, at: usize) -> Result<&'a Map<String, Value>> {
        self.get(at).as_object().ok_or_else(|| self.wrong(at, "Object"))
    }

    /// All of them, as text.
    fn texts(&self, from: usize) -> Result<Vec<&'a str>> {
        (from..self.len()).map(|at| self.text(at)).collect()
    }

    /// The refusal of an argument of another type.
    fn wrong(&self, at: usize, wanted: &str) -> Error {
        codes::ARGUMENT.with([self.function, &(at + 1).to_string(), wanted, type_of(self.get(at))])
    }

    fn not_convertible(&self, to: &str) -> Error {
        codes::NOT_CONVERTIBLE.with([self.function, &shown(self.get(0)), to])
    }
}

/// What messages call a value's type.
pub(super) fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "Null",
        Value::Bool(_) => "Boolean",
        Value::Number(number) if number.is_f64() => "Float",
        Value::Number(_) => "Integer",
        Value::String(_) => "String",
        Value::Array(_) => "Array",
        Value::Object(_) => "Object",
    }
}

/// A value as `string`, `format` and messages print it.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::String(text) => text.clone(),
        Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

#[cfg(test)]
mod tests;
