//! The bytes of netlink: messages and the attributes in them, written and read.

use aya_uapi::bindings::{
    NLM_F_ACK_TLVS, NLM_F_CAPPED, NLM_F_REQUEST, nlmsgerr_attrs::NLMSGERR_ATTR_MSG,
};

const HEADER: usize = 16;
const ATTRIBUTE: usize = 4;
/// Set in the type of an attribute that holds others.
const NESTED: u32 = 1 << 15;
/// Set in the type of an attribute in network byte order.
const NET_BYTE_ORDER: u32 = 1 << 14;

/// A request in the making.
pub(super) struct Request {
    bytes: Vec<u8>,
}

impl Request {
    /// A request of type `kind` that begins with the `body` which messages of this type have.
    pub(super) fn new(kind: u32, flags: u32, body: &[u8]) -> Self {
        let mut bytes = vec![0; HEADER];
        // Types and flags have 16 bits.
        put(&mut bytes, 4, &(kind as u16).to_ne_bytes());
        put(
            &mut bytes,
            6,
            &((flags | NLM_F_REQUEST) as u16).to_ne_bytes(),
        );
        bytes.extend(body);
        Self { bytes }
    }

    pub(super) fn attribute(mut self, kind: u32, payload: &[u8]) -> Self {
        attribute(&mut self.bytes, kind, payload);
        self
    }

    /// An attribute that holds those that `fill` adds.
    pub(super) fn nest(mut self, kind: u32, fill: impl FnOnce(&mut Vec<u8>)) -> Self {
        let mut inside = Vec::new();
        fill(&mut inside);
        attribute(&mut self.bytes, kind | NESTED, &inside);
        self
    }

    /// The message as it goes out under a sequence number.
    pub(super) fn finish(mut self, sequence: u32) -> Vec<u8> {
        // Requests here are some dozens of bytes.
        let len = self.bytes.len() as u32;
        put(&mut self.bytes, 0, &len.to_ne_bytes());
        put(&mut self.bytes, 8, &sequence.to_ne_bytes());
        self.bytes
    }
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    if let Some(place) = bytes.get_mut(at..at + value.len()) {
        place.copy_from_slice(value);
    }
}

/// Adds an attribute; its payload is far from the 64 KiB that one can have.
pub(super) fn attribute(to: &mut Vec<u8>, kind: u32, payload: &[u8]) {
    to.extend(((ATTRIBUTE + payload.len()) as u16).to_ne_bytes());
    to.extend((kind as u16).to_ne_bytes());
    to.extend(payload);
    to.resize(to.len().next_multiple_of(4), 0);
}

/// The attributes in `bytes` as (type without flags, payload); ends at the first malformed one.
pub(super) fn attributes(bytes: &[u8]) -> impl Iterator<Item = (u32, &[u8])> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let [len0, len1, kind0, kind1] = *rest.first_chunk()?;
        let len = usize::from(u16::from_ne_bytes([len0, len1]));
        let kind = u32::from(u16::from_ne_bytes([kind0, kind1]));
        let payload = rest.get(ATTRIBUTE..len)?;
        rest = rest.get(len.next_multiple_of(4)..).unwrap_or_default();
        Some((kind & !(NESTED | NET_BYTE_ORDER), payload))
    })
}

/// The attributes that an attribute of this type holds; none without one.
pub(super) fn nested(bytes: &[u8], kind: u32) -> impl Iterator<Item = (u32, &[u8])> {
    let found = attributes(bytes).find(|(found, _)| *found == kind);
    found
        .into_iter()
        .flat_map(|(_, payload)| attributes(payload))
}

/// The number at the begin of a payload; 0 in a shorter one.
pub(super) fn number(payload: &[u8]) -> u32 {
    payload
        .first_chunk()
        .map_or(0, |bytes| u32::from_ne_bytes(*bytes))
}

/// A message that arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) kind: u32,
    pub(super) flags: u32,
    pub(super) sequence: u32,
    pub(super) body: Vec<u8>,
}

impl Message {
    /// What an error message says, as number and words; 0 is consent. Of a dump's end, the same.
    pub(super) fn verdict(&self) -> Option<(i32, Option<String>)> {
        let errno = i32::from_ne_bytes(*self.body.first_chunk()?).saturating_neg();
        Some((errno, self.words()))
    }

    /// The kernel's explanation in an error message.
    fn words(&self) -> Option<String> {
        const ERROR: usize = 4;
        if self.flags & NLM_F_ACK_TLVS == 0 {
            return None;
        }
        // The request's header comes along, and its body unless it was cut off.
        let request = if self.flags & NLM_F_CAPPED != 0 {
            HEADER
        } else {
            usize::try_from(number(self.body.get(ERROR..)?)).ok()?
        };
        let rest = self.body.get(ERROR + request.next_multiple_of(4)..)?;
        let text = attributes(rest).find(|(kind, _)| *kind == NLMSGERR_ATTR_MSG);
        let text = text?.1.split(|byte| *byte == 0).next()?;
        // It goes into messages of one line.
        let text: String = String::from_utf8_lossy(text)
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        Some(text.trim().to_owned()).filter(|text| !text.is_empty())
    }
}

/// The messages of a datagram; ends at the first malformed one.
pub(super) fn messages(datagram: &[u8]) -> impl Iterator<Item = Message> {
    let mut rest = datagram;
    std::iter::from_fn(move || {
        let header: [u8; HEADER] = *rest.first_chunk()?;
        let [l0, l1, l2, l3, k0, k1, f0, f1, s0, s1, s2, s3, ..] = header;
        let len = usize::try_from(u32::from_ne_bytes([l0, l1, l2, l3])).ok()?;
        let body = rest.get(HEADER..len)?.to_vec();
        rest = rest.get(len.next_multiple_of(4)..).unwrap_or_default();
        Some(Message {
            kind: u32::from(u16::from_ne_bytes([k0, k1])),
            flags: u32::from(u16::from_ne_bytes([f0, f1])),
            sequence: u32::from_ne_bytes([s0, s1, s2, s3]),
            body,
        })
    })
}

#[cfg(test)]
mod tests {
    use aya_uapi::bindings::NLMSG_ERROR;

    use super::*;

    /// An error message with the kernel's words, and the request's body unless it is cut off.
    fn refusal(errno: i32, cut: bool, words: &[u8]) -> Vec<u8> {
        let request = Request::new(36, 0, &[7; 5]).finish(1);
        let mut body = (-errno).to_ne_bytes().to_vec();
        body.extend(if cut {
            &request[..HEADER]
        } else {
            &request[..]
        });
        body.resize(body.len().next_multiple_of(4), 0);
        attribute(&mut body, NLMSGERR_ATTR_MSG, words);
        let flags = NLM_F_ACK_TLVS | if cut { NLM_F_CAPPED } else { 0 };
        Request::new(NLMSG_ERROR, flags, &body).finish(1)
    }

    #[test]
    fn reads_what_the_kernel_says() {
        for cut in [false, true] {
            let bytes = refusal(22, cut, b"Parent Qdisc\ndoesn't exist\0");
            let message = messages(&bytes).next().unwrap();
            let words = "Parent Qdisc doesn't exist".to_owned();
            assert_eq!(message.verdict(), Some((22, Some(words))));
            for end in 0..bytes.len() {
                if let Some(message) = messages(&bytes[..end]).next() {
                    message.verdict();
                }
            }
        }
        let silent = Request::new(NLMSG_ERROR, 0, &(-1i32).to_ne_bytes()).finish(0);
        let message = messages(&silent).next().unwrap();
        assert_eq!(message.verdict(), Some((1, None)));
    }

    #[test]
    fn writes_what_it_reads() {
        let bytes = Request::new(44, 5, &[1, 2, 3, 4])
            .attribute(1, b"bpf\0")
            .nest(2, |options| attribute(options, 7, b"name\0"))
            .finish(9);
        let two = [&bytes[..], &bytes[..]].concat();
        assert_eq!(messages(&two).count(), 2);
        let message = messages(&bytes).next().unwrap();
        assert_eq!((message.kind, message.sequence), (44, 9));
        let found: Vec<_> = attributes(&message.body[4..]).collect();
        assert_eq!(found[0], (1, &b"bpf\0"[..]));
        let inside: Vec<_> = nested(&message.body[4..], 2).collect();
        assert_eq!(inside, [(7, &b"name\0"[..])]);
    }
}
