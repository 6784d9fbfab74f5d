//! What a guest's resolver answers: Azure's names, all of them at one address, the machines of its virtual network, and nothing else.
//!
//! One question a message, as every client asks; the answer is always short, so it always fits a datagram. A name of
//! Azure's has an A record and no other: an AAAA query gets an answer without records, so that clients go on to IPv4 at once.
//! Any other name does not exist, which is the truth inside a guest: no packet of it leaves the machine.
//!
//! The machines of the network are found by their names, and their names by their addresses (PTR), for as long as they run.
//!
//! The coding is RFC 1035 §4, by hand: the libraries for it bring a resolver's worth of dependencies for four record types we
//! never need. What is malformed is answered with a format error where its id can be read, and dropped where not.

use std::net::Ipv4Addr;

use guest::Network;

use super::route::{self, Target};

const HEADER: usize = 12;
const LABEL_MAX: usize = 63;
const NAME_MAX: usize = 255;
const TTL_SECONDS: u32 = 60;

const CLASS_IN: u16 = 1;
const CLASS_ANY: u16 = 255;
const TYPE_A: u16 = 1;
const TYPE_PTR: u16 = 12;
const TYPE_ANY: u16 = 255;

/// Response codes (RFC 1035 §4.1.1).
const NO_ERROR: u8 = 0;
const FORMAT_ERROR: u8 = 1;
const NAME_ERROR: u8 = 3;
const NOT_IMPLEMENTED: u8 = 4;

/// What a guest's names stand for.
#[derive(Clone)]
pub(super) struct Names {
    pub(super) hostname: String,
    /// The guest's own address.
    pub(super) own: Ipv4Addr,
    pub(super) network: Option<Network>,
    /// Where all of Azure's names are.
    pub(super) service: Ipv4Addr,
}

impl Names {
    fn find(&self, name: &str) -> Option<Ipv4Addr> {
        let is_own = name.eq_ignore_ascii_case(&self.hostname);
        let neighbour = self.network.as_ref().and_then(|it| it.find(name));
        match route::by_name(name) {
            _ if is_own => Some(self.own),
            _ if neighbour.is_some() => neighbour,
            _ if name.eq_ignore_ascii_case("localhost") => Some(Ipv4Addr::LOCALHOST),
            Target::Foreign => None,
            _ => Some(self.service),
        }
    }

    /// The name behind `4.0.0.10.in-addr.arpa`.
    fn name_of(&self, name: &str) -> Option<String> {
        let digits = name.to_ascii_lowercase();
        let mut digits: Vec<&str> = digits.strip_suffix(".in-addr.arpa")?.split('.').collect();
        digits.reverse();
        self.network.as_ref()?.name_of(digits.join(".").parse().ok()?)
    }

    fn record(&self, question: &Question<'_>) -> Option<Record> {
        match question.kind {
            _ if !question.is_internet() => None,
            TYPE_PTR => self.name_of(&question.name).map(Record::Name),
            _ => self.find(&question.name).map(Record::Address),
        }
    }
}

/// What is known of a name.
enum Record {
    Address(Ipv4Addr),
    Name(String),
}

impl Record {
    /// Its type and its bytes.
    fn coded(&self) -> (u16, Vec<u8>) {
        match self {
            Record::Address(address) => (TYPE_A, address.octets().to_vec()),
            Record::Name(name) => {
                let label = |it: &str| [&[it.len() as u8], it.as_bytes()].concat();
                let labels = name.split('.').filter(|it| it.len() <= LABEL_MAX).flat_map(label);
                (TYPE_PTR, labels.chain([0]).collect())
            }
        }
    }
}

/// The answer to a message; none to what is no query.
pub(super) fn answer(message: &[u8], names: &Names) -> Option<Vec<u8>> {
    let header: &[u8; HEADER] = message.first_chunk()?;
    let is_response = header[2] & 0x80 != 0;
    if is_response {
        return None;
    }
    let opcode = header[2] >> 3 & 0x0f;
    let questions = u16::from_be_bytes([header[4], header[5]]);
    let question = Question::read(&message[HEADER..]).filter(|_| questions == 1);
    Some(match question {
        _ if opcode != 0 => reply(header, NOT_IMPLEMENTED, &[], None),
        None => reply(header, FORMAT_ERROR, &[], None),
        Some(question) => match names.record(&question) {
            None => reply(header, NAME_ERROR, question.bytes, None),
            Some(record) => {
                let record = Some(record).filter(|it| question.wants(it));
                reply(header, NO_ERROR, question.bytes, record.as_ref())
            }
        },
    })
}

struct Question<'m> {
    name: String,
    kind: u16,
    class: u16,
    /// As it came, to be repeated in the answer.
    bytes: &'m [u8],
}

impl<'m> Question<'m> {
    /// Reads labels up to the root, then type and class. A question has no compressed names: nothing stands before it.
    fn read(bytes: &'m [u8]) -> Option<Self> {
        let mut name = String::new();
        let mut at = 0;
        loop {
            let length = usize::from(*bytes.get(at)?);
            let label = bytes.get(at + 1..at + 1 + length)?;
            at += 1 + length;
            if length == 0 {
                break;
            }
            if length > LABEL_MAX || at > NAME_MAX {
                return None;
            }
            if !name.is_empty() {
                name.push('.');
            }
            name.extend(label.iter().map(|byte| char::from(*byte)));
        }
        let [k1, k2, c1, c2] = *bytes.get(at..at + 4)?.first_chunk()?;
        let (kind, class) = (u16::from_be_bytes([k1, k2]), u16::from_be_bytes([c1, c2]));
        Some(Question { name, kind, class, bytes: &bytes[..at + 4] })
    }

    fn is_internet(&self) -> bool {
        matches!(self.class, CLASS_IN | CLASS_ANY)
    }

    fn wants(&self, record: &Record) -> bool {
        match record {
            Record::Address(_) => matches!(self.kind, TYPE_A | TYPE_ANY),
            Record::Name(_) => true,
        }
    }
}

fn reply(query: &[u8; HEADER], code: u8, question: &[u8], record: Option<&Record>) -> Vec<u8> {
    let mut out = Vec::with_capacity(HEADER + question.len() + 16);
    out.extend_from_slice(&query[..2]);
    // A response, of the query's opcode, recursion desired as it was; recursion available.
    out.push(0x80 | query[2] & 0x79);
    out.push(0x80 | code);
    let counts = [u16::from(!question.is_empty()), u16::from(record.is_some()), 0, 0];
    out.extend(counts.iter().flat_map(|count| count.to_be_bytes()));
    out.extend_from_slice(question);
    if let Some(record) = record {
        let (kind, bytes) = record.coded();
        // The name is the question's, which begins right after the header.
        out.extend_from_slice(&[0xc0, HEADER as u8]);
        out.extend_from_slice(&kind.to_be_bytes());
        out.extend_from_slice(&CLASS_IN.to_be_bytes());
        out.extend_from_slice(&TTL_SECONDS.to_be_bytes());
        out.extend_from_slice(&(bytes.len() as u16).to_be_bytes());
        out.extend_from_slice(&bytes);
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TYPE_AAAA: u16 = 28;

    fn names() -> Names {
        Names {
            hostname: "myVM".to_owned(),
            own: Ipv4Addr::new(10, 0, 0, 4),
            network: Some(Network::default()),
            service: Ipv4Addr::new(10, 255, 255, 1),
        }
    }

    fn query(name: &str, kind: u16, class: u16) -> Vec<u8> {
        let mut message = vec![0xab, 0xcd, 0x01, 0x00, 0, 1, 0, 0, 0, 0, 0, 0];
        for label in name.split('.') {
            message.push(label.len() as u8);
            message.extend_from_slice(label.as_bytes());
        }
        message.push(0);
        message.extend_from_slice(&kind.to_be_bytes());
        message.extend_from_slice(&class.to_be_bytes());
        message
    }

    /// The answer's code, and the address at its end if it has one.
    fn read(reply: &[u8]) -> (u8, Option<[u8; 4]>) {
        let has_address = reply[7] == 1;
        (reply[3] & 0x0f, has_address.then(|| *reply.last_chunk().expect("an address")))
    }

    #[test]
    fn azures_names_are_at_the_service_address_and_others_do_not_exist() {
        let service = Some([10, 255, 255, 1]);
        for (name, kind, class, expected) in [
            ("management.azure.com", TYPE_A, CLASS_IN, (NO_ERROR, service)),
            ("LOGIN.microsoftonline.com", TYPE_A, CLASS_IN, (NO_ERROR, service)),
            ("acct.blob.core.windows.net", TYPE_ANY, CLASS_IN, (NO_ERROR, service)),
            ("vault.azure.net", TYPE_A, CLASS_IN, (NO_ERROR, service)),
            ("management.azure.com", TYPE_AAAA, CLASS_IN, (NO_ERROR, None)),
            ("myvm", TYPE_A, CLASS_IN, (NO_ERROR, Some([10, 0, 0, 4]))),
            ("localhost", TYPE_A, CLASS_IN, (NO_ERROR, Some([127, 0, 0, 1]))),
            ("example.org", TYPE_A, CLASS_IN, (NAME_ERROR, None)),
            ("management.azure.com", TYPE_A, 3, (NAME_ERROR, None)),
        ] {
            let reply = answer(&query(name, kind, class), &names()).expect("an answer");
            assert_eq!(read(&reply), expected, "{name} {kind} {class}");
        }
    }

    #[test]
    fn an_answer_repeats_the_id_and_the_question() {
        let query = query("management.azure.com", TYPE_A, CLASS_IN);
        let reply = answer(&query, &names()).expect("an answer");
        assert_eq!(reply[..2], [0xab, 0xcd]);
        assert_eq!(reply[2..4], [0x81, 0x80], "a response, recursion desired and available");
        assert_eq!(reply[HEADER..query.len()], query[HEADER..]);
    }

    #[test]
    fn what_is_malformed_is_answered_so_or_dropped() {
        let good = query("a.b", TYPE_A, CLASS_IN);
        let with = |at: usize, byte: u8| {
            let mut message = good.clone();
            message[at] = byte;
            message
        };
        for (message, code) in [
            (good[..11].to_vec(), None),
            (with(2, 0x81), None),
            (with(2, 0x29), Some(NOT_IMPLEMENTED)),
            (with(5, 2), Some(FORMAT_ERROR)),
            (with(5, 0), Some(FORMAT_ERROR)),
            (with(12, 0xc0), Some(FORMAT_ERROR)),
            (with(12, 200), Some(FORMAT_ERROR)),
            (good[..good.len() - 1].to_vec(), Some(FORMAT_ERROR)),
        ] {
            let reply = answer(&message, &names());
            assert_eq!(reply.map(|reply| read(&reply).0), code, "{message:?}");
        }
    }

    proptest! {
        #[test]
        fn no_message_panics_and_every_answer_fits_a_datagram(message in prop::collection::vec(any::<u8>(), 0..600)) {
            if let Some(reply) = answer(&message, &names()) {
                prop_assert!(reply.len() <= 512);
            }
        }
    }
}
