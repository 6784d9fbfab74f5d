//! Blobs made of blocks: they come one by one, wait, and a list makes a blob of them (blob.md §11.4, §11.7).
//!
//! A waiting block is a row of its own, under the blob's name. A list names blocks that wait and blocks that the
//! blob already has; those become the blob, in the list's order, and all other blocks of that name are gone.

use std::collections::HashMap;

use azure::{error::Result, ids::Guid, text};
use bytes::Bytes;
use quick_xml::{Reader, events::Event};

use super::{
    Found,
    ask::{BlockListType, Upload},
    blobs::{self, New},
    checksum::{Expected, Running},
    codes,
    conditions::Write,
    containers, headers,
    op::Op,
    purge,
    records::{BLOBS, BLOCK_LISTS, Blob, Block, Bodies, ContentHeaders, Metadata, Place, UNCOMMITTED},
    upload,
    xml::Xml,
};
use crate::{
    service::{Body, Cx, Reply},
    store::Txn,
};

const MAX_COMMITTED: usize = 50_000;
/// 50,000 ids of 88 base64 characters, each in its element.
const MAX_LIST_BYTES: usize = 8 << 20;

pub(super) async fn put(
    cx: &Cx,
    op: &Op,
    found: &Found,
    id: &str,
    upload: Upload,
    body: Body,
) -> Result<Reply> {
    let container = containers::present(found.container.as_ref())?.id;
    let received = upload::receive(cx, body, upload).await?;
    if received.length == 0 {
        // An empty block is refused by its length (blob.md §12).
        return Err(codes::INVALID_HEADER.bare().and("HeaderName", "Content-Length").and("HeaderValue", "0"));
    }
    let block = Block { id: id.to_owned(), length: received.length, body: received.body };
    let written = cx
        .write(|txn| {
            let mut bodies = Bodies::default();
            received.keep(txn, container, &mut bodies)?;
            wait(txn, op, container, &block, &mut bodies)?;
            Ok(bodies.settle(txn, &cx.env.content)?)
        })
        .await;
    let files = match written {
        Ok(files) => {
            received.is_named(cx).await;
            files
        }
        Err(error) => {
            received.give_up(cx, &error).await;
            return Err(error);
        }
    };
    purge::remove_behind(&cx.env, files);
    let mut reply = Reply::new(201).with("x-ms-request-server-encrypted", "true");
    match received.sums.crc64_text() {
        Some(crc64) => reply.set("x-ms-content-crc64", crc64),
        None => reply.set("content-md5", received.md5_text()),
    }
    Ok(reply)
}

/// Puts a block among those that wait, in the place of one of the same id.
fn wait(txn: &mut Txn, op: &Op, container: Guid, block: &Block, bodies: &mut Bodies) -> Result<()> {
    blobs::still_there(txn, op, container)?;
    let name = op.address.blob().unwrap_or_default();
    if let Some((_, other)) = UNCOMMITTED.scan(txn, &(container, name), None, 1)?.first()
        && other.id.len() != block.id.len()
    {
        // All ids of one blob have one length (blob.md §10).
        return Err(codes::INVALID_BLOB_OR_BLOCK.bare());
    }
    let key = (container, name.to_owned(), block.id.clone());
    if let Some(before) = UNCOMMITTED.get(txn, &key)? {
        bodies.forget(txn, container, before.body)?;
    }
    Ok(UNCOMMITTED.put(txn, &key, block)?)
}

/// Where a list says a block is to be looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum From {
    Committed,
    Uncommitted,
    /// The waiting one if there is one, else the blob's own.
    Latest,
}

pub(super) async fn put_list(
    cx: &Cx,
    op: &Op,
    found: &Found,
    expected: Expected,
    headers: ContentHeaders,
    metadata: Metadata,
    body: Body,
) -> Result<Reply> {
    let container = containers::present(found.container.as_ref())?.id;
    op.conditions.judge_write(found.blob.as_ref().map(Blob::stamp), Write::Create)?;
    let bytes = body.bytes(MAX_LIST_BYTES).await?;
    let mut running = Running::new(expected);
    running.update(&bytes);
    let sums = running.finish();
    sums.check(expected)?;
    let wanted = parse_list(&bytes)?;
    let list = cx.draw().guid();
    let now = cx.cloud.clock.now();
    let (stamp, files) = cx
        .write(|txn| {
            let blocks = take(txn, op, container, &wanted)?;
            let body = if blocks.is_empty() { Place::Empty } else { Place::Blocks(list) };
            let length = blocks.iter().map(|block| block.length).sum();
            let new = New { length, body, headers: headers.clone(), metadata: metadata.clone() };
            let mut bodies = Bodies::default();
            blocks.iter().for_each(|block| bodies.name(block.body));
            let stamp = blobs::replace(txn, op, container, now, &new, &mut bodies)?;
            if !blocks.is_empty() {
                BLOCK_LISTS.put(txn, &(container, list), &blocks)?;
            }
            Ok((stamp, bodies.settle(txn, &cx.env.content)?))
        })
        .await?;
    purge::remove_behind(&cx.env, files);
    let mut reply = Reply::new(201).with("x-ms-request-server-encrypted", "true");
    match sums.crc64_text() {
        Some(crc64) => reply.set("x-ms-content-crc64", crc64),
        None => reply.set("content-md5", text::base64(sums.md5)),
    }
    headers::stamp(&mut reply, stamp);
    Ok(reply)
}

/// The blocks that a list names, in its order.
fn take(txn: &Txn, op: &Op, container: Guid, wanted: &[(From, String)]) -> Result<Vec<Block>> {
    let key = blobs::key(op, container);
    let committed = match BLOBS.get(txn, &key)? {
        Some(blob) => blob.blocks(txn, container)?,
        None => Vec::new(),
    };
    let committed: HashMap<&str, &Block> = committed.iter().map(|block| (block.id.as_str(), block)).collect();
    let own = |id: &str| committed.get(id).map(|block| Block::clone(block));
    let waiting = |id: &str| UNCOMMITTED.get(txn, &(container, key.1.clone(), id.to_owned()));
    let one = |(from, id): &(From, String)| -> Result<Block> {
        let block = match from {
            From::Committed => own(id),
            From::Uncommitted => waiting(id)?,
            From::Latest => waiting(id)?.or_else(|| own(id)),
        };
        block.ok_or_else(|| codes::INVALID_BLOCK_LIST.bare())
    };
    wanted.iter().map(one).collect()
}

/// Reads `<BlockList><Latest>id</Latest>…</BlockList>`.
fn parse_list(bytes: &Bytes) -> Result<Vec<(From, String)>> {
    let malformed = || codes::INVALID_XML.bare();
    let text = std::str::from_utf8(bytes).map_err(|cause| malformed().because(cause))?;
    let mut reader = Reader::from_str(text.trim_start_matches('\u{feff}'));
    let mut wanted = Vec::new();
    let (mut depth, mut has_root) = (0, false);
    let mut open: Option<(From, String)> = None;
    loop {
        match reader.read_event().map_err(|cause| malformed().because(cause))? {
            Event::Start(element) => {
                depth += 1;
                match (depth, element.local_name().as_ref()) {
                    (1, "BlockList") if !has_root => has_root = true,
                    (2, "Committed") => open = Some((From::Committed, String::new())),
                    (2, "Uncommitted") => open = Some((From::Uncommitted, String::new())),
                    (2, "Latest") => open = Some((From::Latest, String::new())),
                    _ => return Err(malformed()),
                }
            }
            Event::Text(text) => match (&mut open, text.xml10_content()) {
                (Some((_, id)), text) => id.push_str(&text),
                (None, text) if text.trim().is_empty() => {}
                (None, _) => return Err(malformed()),
            },
            Event::End(_) => {
                depth -= 1;
                wanted.extend(open.take().map(|(from, id)| (from, id.trim().to_owned())));
            }
            Event::Eof if depth == 0 && has_root => break,
            Event::Eof | Event::DocType(_) | Event::GeneralRef(_) | Event::CData(_) => {
                return Err(malformed());
            }
            Event::Empty(element) if !has_root && element.local_name().as_ref() == "BlockList" => {
                has_root = true;
            }
            Event::Empty(_) => return Err(malformed()),
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
        }
        if wanted.len() > MAX_COMMITTED {
            return Err(codes::BLOCK_LIST_TOO_LONG.bare());
        }
    }
    Ok(wanted)
}

/// The answer to Get Block List. A name that only waiting blocks have is found here, and nowhere else.
pub(super) async fn get_list(cx: &Cx, op: &Op, found: &Found, which: BlockListType) -> Result<Reply> {
    let container = containers::present(found.container.as_ref())?.id;
    let name = op.address.blob().unwrap_or_default();
    let (blob, committed, waiting) = cx
        .read(|txn| {
            let blob = BLOBS.get(txn, &blobs::key(op, container))?;
            let committed = match &blob {
                Some(blob) => blob.blocks(txn, container)?,
                None => Vec::new(),
            };
            let waiting = UNCOMMITTED.scan(txn, &(container, name), None, usize::MAX)?;
            Ok((blob, committed, waiting))
        })
        .await?;
    if blob.is_none() && waiting.is_empty() {
        return Err(codes::BLOB_NOT_FOUND.bare());
    }
    let waiting: Vec<Block> = waiting.into_iter().map(|(_, block)| block).collect();
    let mut xml = Xml::new();
    xml.open("BlockList");
    if which != BlockListType::Uncommitted {
        print_blocks(&mut xml, "CommittedBlocks", &committed);
    }
    if which != BlockListType::Committed {
        print_blocks(&mut xml, "UncommittedBlocks", &waiting);
    }
    xml.close("BlockList");
    let mut reply = Reply::new(200).typed("application/xml", xml.finish());
    reply.set("x-ms-blob-content-length", blob.as_ref().map_or(0, |blob| blob.length).to_string());
    if let Some(blob) = &blob {
        headers::stamp(&mut reply, blob.stamp());
    }
    Ok(reply)
}

fn print_blocks(xml: &mut Xml, name: &str, blocks: &[Block]) {
    xml.open(name);
    for block in blocks {
        xml.open("Block");
        xml.element("Name", &block.id);
        xml.number("Size", block.length);
        xml.close("Block");
    }
    xml.close(name);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_in_its_order_and_what_is_no_list_is_refused() {
        let wanted = |text: &'static str| parse_list(&Bytes::from_static(text.as_bytes())).ok();
        let id = |from, id: &str| (from, id.to_owned());
        assert_eq!(
            wanted(
                "\u{feff}<?xml version=\"1.0\"?><BlockList><Latest>YQ==</Latest>\n<Committed>Yg==</Committed><Uncommitted>Yw==</Uncommitted></BlockList>"
            ),
            Some(vec![id(From::Latest, "YQ=="), id(From::Committed, "Yg=="), id(From::Uncommitted, "Yw==")])
        );
        assert_eq!(wanted("<BlockList/>"), Some(vec![]));
        for text in [
            "",
            "<BlockList>",
            "<BlockList><Other>x</Other></BlockList>",
            "<a/>",
            "<!DOCTYPE x><BlockList/>",
            "{}",
        ] {
            assert!(wanted(text).is_none(), "{text}");
        }
    }
}
