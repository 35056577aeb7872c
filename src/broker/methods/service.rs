//! `org.varlink.service`: the broker's name, version and interfaces.

use crate::{
    broker::{authorize::Grant, reply::Failure},
    protocol::varlink::{
        INTERFACE_NOT_FOUND, InterfaceDescription, InterfaceName, ServiceInfo,
        interface::{self, INTERFACES},
        methods::{GetInfo, GetInterfaceDescription},
    },
};
use serde_json::json;

pub(super) fn info(_: Grant<'_, GetInfo>) -> ServiceInfo {
    ServiceInfo {
        vendor: "podspawn".to_owned(),
        product: "podspawn broker".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        url: String::new(),
        interfaces: INTERFACES.map(|(name, _)| name.to_owned()).into(),
    }
}

pub(super) fn description(
    _: Grant<'_, GetInterfaceDescription>,
    InterfaceName { interface }: InterfaceName,
) -> Result<InterfaceDescription, Failure> {
    match interface::description(&interface) {
        Some(text) => Ok(InterfaceDescription { description: text.to_owned() }),
        None => Err(Failure::of(INTERFACE_NOT_FOUND, &json!({ "interface": interface }))),
    }
}
