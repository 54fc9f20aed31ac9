#![no_std]
#![no_main]
use aya_ebpf::{
    BpfContext,
    macros::{map, xdp},
    maps::*,
    programs::XdpContext,
};

#[repr(C)]
#[derive(Clone, Copy)]
pub struct Event {
    address: u32,
    port: u16,
    unused: u16,
}

#[map]
static HASH: HashMap<u32, u64> = HashMap::<u32, u64>::with_max_entries(16, 0);
#[map(name = "LRU")]
pub static mut LRU_HASH: LruHashMap<[u8; 6], Event> = LruHashMap::pinned(16, 0);
#[map]
static PER_CPU: PerCpuHashMap<u32, u64> = PerCpuHashMap::with_max_entries(16, 0);
#[map]
static LRU_PER_CPU: LruPerCpuHashMap<u32, u64> = LruPerCpuHashMap::with_max_entries(16, 0);
#[map]
static ARRAY: Array<u64> = Array::with_max_entries(16, 0);
#[map]
static PER_CPU_ARRAY: PerCpuArray<u64> = PerCpuArray::with_max_entries(16, 0);
#[map]
static RING: RingBuf = RingBuf::with_byte_size(4096, 0);
#[map]
static EVENTS: PerfEventArray<Event> = PerfEventArray::new(0);
#[map]
static BYTES: PerfEventByteArray = PerfEventByteArray::new(0);
#[map]
static TRIE: LpmTrie<[u8; 4], u32> = LpmTrie::with_max_entries(16, 0);
#[map]
static QUEUE: Queue<Event> = Queue::with_max_entries(16, 0);
#[map]
static STACK: Stack<u64> = Stack::with_max_entries(16, 0);
#[map]
static FILTER: BloomFilter<u32> = BloomFilter::with_max_entries(16, 0);
#[map]
static PROGRAMS: ProgramArray = ProgramArray::with_max_entries(4, 0);
#[map]
static CPUS: CpuMap = CpuMap::with_max_entries(4, 0);
#[map]
static DEVICES: DevMap = DevMap::with_max_entries(4, 0);
#[map]
static DEVICES_BY_NUMBER: DevMapHash = DevMapHash::with_max_entries(4, 0);
#[map]
static SOCKETS: XskMap = XskMap::with_max_entries(4, 0);

fn id(ctx: &impl BpfContext) -> u32 {
    ctx.pid()
}

fn run(ctx: &XdpContext) -> Result<(), i32> {
    let event = Event {
        address: id(ctx),
        port: 0,
        unused: 0,
    };
    HASH.insert(&1, &2, 0)?;
    HASH.insert(1, 2, 0)?;
    HASH.insert(event.address, &2, 0)?;
    HASH.remove(&1)?;
    HASH.remove(1)?;
    let lru = unsafe { &*&raw const LRU_HASH };
    lru.insert([0; 6], event, 0)?;
    PER_CPU.insert(&1, &2, 0)?;
    LRU_PER_CPU.insert(&1, &2, 0)?;
    ARRAY.set(0, &1, 0)?;
    ARRAY.set(0, 1, 0)?;
    if let (Some(here), Some(all)) = (PER_CPU_ARRAY.get_ptr_mut(0), ARRAY.get(0)) {
        unsafe { *here += *all };
    }
    let mut record = RING.reserve::<Event>(0).ok_or(-1)?;
    record.write(event);
    record.submit(0);
    let mut bytes = RING.reserve_bytes(4, 0).ok_or(-1)?;
    bytes.fill(1);
    bytes.discard(0);
    RING.output(&event, RING.query(0))?;
    EVENTS.output(ctx, &event, 0);
    EVENTS.output(ctx, event, 0);
    BYTES.output(ctx, &ctx.command()?, 0);
    let route = lpm_trie::Key::new(32, [10, 0, 0, 1]);
    TRIE.insert(&route, TRIE.get(&route).copied().unwrap_or(1), 0)?;
    QUEUE.push(&event, 0)?;
    if let (Some(event), Some(number)) = (QUEUE.pop()?, STACK.peek()?) {
        STACK.push(&(number + u64::from(event.port)), 0)?;
    }
    FILTER.insert(&event.address, 0)?;
    FILTER.contains(&event.address)
}

#[xdp]
fn redirect(ctx: XdpContext) -> u32 {
    let queue = ctx.rx_queue_index();
    unsafe { PROGRAMS.tail_call(&ctx, queue) };
    let device = DEVICES
        .get_ifindex(queue)
        .or(DEVICES_BY_NUMBER.get(queue).map(|it| it.if_index));
    match (SOCKETS.get(queue), device) {
        (Some(_), _) => SOCKETS.redirect(queue, 0),
        (None, Some(_)) => DEVICES.redirect(queue, 0),
        (None, None) => CPUS.redirect(queue, 2),
    }
    .unwrap_or_else(|action| action)
}

#[xdp]
fn program(ctx: XdpContext) -> u32 {
    run(&ctx).map_or(1, |()| 2)
}

aya_ebpf::panic_handler!();

#[unsafe(no_mangle)]
#[unsafe(link_section = "license")]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
