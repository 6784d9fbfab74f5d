//! `uniqueString` and `guid`, which give the values that Azure gives.
//!
//! `uniqueString` is a 64-bit variant of MurmurHash3 (two lanes of the 32-bit algorithm, as
//! Microsoft's resource libraries have it) over the arguments joined by `-`, in thirteen letters of
//! base 32. `guid` is RFC 9562's version 5 in a namespace of Azure's over the same text. Both were
//! checked against values that real deployments gave (tests.rs).

use serde_json::Value;
use sha1::{Digest, Sha1};

use super::Arguments;
use crate::{error::Result, ids::Guid};

/// 11fb06fb-712d-4ddd-98c7-e71bbd588830: documented in Bicep's page of string functions, guid.
const NAMESPACE: [u8; 16] =
    [0x11, 0xfb, 0x06, 0xfb, 0x71, 0x2d, 0x4d, 0xdd, 0x98, 0xc7, 0xe7, 0x1b, 0xbd, 0x58, 0x88, 0x30];

const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

pub(super) fn unique_string(arguments: &Arguments<'_>) -> Result<Value> {
    let mut hash = murmur_hash_64(arguments.texts(0)?.join("-").as_bytes());
    let mut text = String::with_capacity(13);
    for _ in 0..13 {
        text.push(char::from(LETTERS[(hash >> 59) as usize]));
        hash <<= 5;
    }
    Ok(text.into())
}

pub(super) fn guid(arguments: &Arguments<'_>) -> Result<Value> {
    Ok(named(&NAMESPACE, &arguments.texts(0)?.join("-")).to_string().into())
}

/// Version 5: the first half of a SHA-1 over namespace and name.
pub(super) fn named(namespace: &[u8; 16], name: &str) -> Guid {
    let digest = Sha1::new().chain_update(namespace).chain_update(name).finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    bytes[6] = bytes[6] & 0x0f | 0x50;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    Guid(bytes)
}

const C1: u32 = 0x239b_961b;
const C2: u32 = 0xab0e_9789;

/// The hash behind `uniqueString`.
pub(in crate::template) fn murmur_hash_64(data: &[u8]) -> u64 {
    let (mut one, mut two) = (0_u32, 0_u32);
    let blocks = data.chunks_exact(8);
    let tail = blocks.remainder();
    for block in blocks {
        one ^= first_lane(number(&block[..4]));
        one = one.rotate_left(19).wrapping_add(two).wrapping_mul(5).wrapping_add(0x561c_cd1b);
        two ^= second_lane(number(&block[4..]));
        two = two.rotate_left(13).wrapping_add(one).wrapping_mul(5).wrapping_add(0x0bca_a747);
    }
    if !tail.is_empty() {
        one ^= first_lane(number(&tail[..tail.len().min(4)]));
    }
    if tail.len() > 4 {
        two ^= second_lane(number(&tail[4..]));
    }
    let length = u32::try_from(data.len()).unwrap_or(u32::MAX);
    one ^= length;
    two ^= length;
    one = one.wrapping_add(two);
    two = two.wrapping_add(one);
    one = avalanche(one);
    two = avalanche(two);
    one = one.wrapping_add(two);
    two = two.wrapping_add(one);
    u64::from(two) << 32 | u64::from(one)
}

fn first_lane(word: u32) -> u32 {
    word.wrapping_mul(C1).rotate_left(15).wrapping_mul(C2)
}

fn second_lane(word: u32) -> u32 {
    word.wrapping_mul(C2).rotate_left(17).wrapping_mul(C1)
}

fn avalanche(mut hash: u32) -> u32 {
    hash = (hash ^ hash >> 16).wrapping_mul(0x85eb_ca6b);
    hash = (hash ^ hash >> 13).wrapping_mul(0xc2b2_ae35);
    hash ^ hash >> 16
}

/// Up to four bytes, the lowest first.
fn number(bytes: &[u8]) -> u32 {
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u32::from(*byte))
}
