//! Prefixes of addresses, and programs that go on in others.

use aya::{
    Ebpf,
    maps::{
        LpmTrie, MapError, ProgramArray,
        lpm_trie::{Key, LpmTrie as SameTrie},
    },
    programs::{ProgramId, SchedClassifier, XdpMode},
};
use aya_netlab::{FAR_ADDRESS, Lab, NEAR};
use aya_tests::{
    TestResult,
    datagrams::{PATIENCE, arrives, nothing_at},
    in_both_modes, map, program,
};
use nix::errno::Errno;

use crate::{PORT, attach, errno, loaded, send, send_from, slot, slots};

type Classes<'a> = LpmTrie<&'a mut aya::maps::MapData, [u8; 4], u32>;

const ONE: [u8; 4] = [1, 1, 1, 1];
const TWO: [u8; 4] = [1, 1, 2, 2];

in_both_modes! {
    /// The longest prefix of a packet's source decides; user space and the program change what there is.
    fn the_longest_prefix_counts(object: "maps_net", since 5, 8) {
        for (program, name) in [("classify", "CLASSES"), ("classify_other", "OTHER_CLASSES")] {
            let lab = Lab::new(&[ONE.into(), TWO.into()])?;
            let here = lab.receiver(PORT, PATIENCE)?;
            let mut ebpf = Ebpf::load(object)?;
            attach(&mut ebpf, program, NEAR, XdpMode::Default)?;
            let mut classes: Classes<'_> = map(&mut ebpf, name)?;
            for (bits, data, class) in [(8, [1, 9, 9, 9], 8), (24, ONE, 24), (32, ONE, 0)] {
                classes.insert(Key::new(bits, data), class, 0)?;
            }
            // 1.1.1.1 is dropped, though its networks are not; 10.99.0.2 has no class.
            send_from(&lab, ONE, "dropped")?;
            send_from(&lab, FAR_ADDRESS.octets(), "dropped")?;
            send_from(&lab, TWO, "by eight bits")?;
            arrives(&here, "by eight bits")?;
            assert_eq!(slots(&mut ebpf, [slot::CLASS])?, [8]);
            map::<Classes<'_>>(&mut ebpf, name)?.remove(&Key::new(32, ONE))?;
            send_from(&lab, ONE, "by 24 bits")?;
            arrives(&here, "by 24 bits")?;
            assert_eq!(slots(&mut ebpf, [slot::CLASS])?, [24]);

            // The program learns an address, which user space sees; and forgets it.
            send_from(&lab, TWO, "+")?;
            arrives(&here, "+")?;
            assert_eq!(slots(&mut ebpf, [slot::CLASS, slot::ERROR])?, [99, 0]);
            let classes: SameTrie<_, [u8; 4], u32> = map(&mut ebpf, name)?;
            assert_eq!(classes.get(&Key::new(32, TWO), 0)?, 99);
            let mut all = Vec::new();
            for entry in classes.iter() {
                let (key, class) = entry?;
                all.push((key.prefix_len(), key.data()[0], class));
            }
            all.sort_unstable();
            assert_eq!(all, [(8, 1, 8), (24, 1, 24), (32, 1, 99)]);
            assert_eq!(classes.keys().count(), 3);
            for error in [0, Errno::ENOENT as u64] {
                send_from(&lab, TWO, "-")?;
                arrives(&here, "-")?;
                assert_eq!(slots(&mut ebpf, [slot::CLASS, slot::ERROR])?, [8, error]);
            }
            nothing_at(&here)?;
        }
        Ok(())
    }

    /// What a trie of prefixes refuses.
    fn prefixes_are_refused(object: "maps_net", since 5, 8) {
        let mut ebpf = Ebpf::load(object)?;
        let mut classes: Classes<'_> = map(&mut ebpf, "CLASSES")?;
        assert_eq!(errno(classes.insert(Key::new(33, ONE), 1, 0))?, Errno::EINVAL);
        assert!(matches!(classes.get(&Key::new(32, ONE), 0), Err(MapError::KeyNotFound)));
        assert!(matches!(classes.remove(&Key::new(32, ONE)), Err(MapError::KeyNotFound)));
        classes.insert(Key::new(32, ONE), 1, 1)?;
        assert_eq!(errno(classes.insert(Key::new(32, ONE), 1, 1))?, Errno::EEXIST);
        // Its prefix is there, it is not.
        assert!(matches!(classes.remove(&Key::new(31, ONE)), Err(MapError::KeyNotFound)));
        for bits in 1..4 {
            classes.insert(Key::new(bits, ONE), 1, 0)?;
        }
        let full = classes.insert(Key::new(5, ONE), 1, 0);
        assert!(matches!(full, Err(MapError::Full { max_entries: 4, .. })), "{full:?}");
        Ok(())
    }

    /// A program goes on in the one that the packet names; what is where changes while packets arrive.
    fn programs_go_on_in_others(object: "maps_net", since 5, 8) {
        // The other one holds a program from the start.
        for (program, name, first) in [("enter", "NEXT", "1?"), ("enter_other", "OTHER_NEXT", "1l")] {
            let lab = Lab::new(&[])?;
            let here = lab.receiver(PORT, PATIENCE)?;
            let mut ebpf = Ebpf::load(object)?;
            let (left, id) = loaded(&mut ebpf, "left")?;
            let (right, _) = loaded(&mut ebpf, "right")?;
            attach(&mut ebpf, program, NEAR, XdpMode::Default)?;
            let mut next: ProgramArray<_> = map(&mut ebpf, name)?;
            next.set(0, &left, 0)?;
            next.set(2, &right, 0)?;
            assert_eq!(next.get(&0, 0)?, ProgramId::new(id));
            assert_eq!(next.get(&1, 0).is_ok(), first == "1l");
            let sees = |payload: &str, expected: &str| -> TestResult {
                send(&lab, payload)?;
                arrives(&here, expected)
            };
            sees("0_", "0l")?;
            sees("1_", first)?;
            sees("2_", "2r")?;
            sees("3_", "3?")?;
            // Another program, the same slot; the array keeps programs alive.
            next.set(0, &right, 0)?;
            drop((left, right));
            sees("0_", "0r")?;
            next.clear_index(&0)?;
            sees("0_", "0?")?;
            assert_eq!(next.indices().collect::<Result<Vec<_>, _>>()?, [0, 1, 2]);
        }
        Ok(())
    }

    /// What an array of programs refuses.
    fn programs_are_refused(object: "maps_net", since 5, 8) {
        let mut ebpf = Ebpf::load(object)?;
        let (left, _) = loaded(&mut ebpf, "left")?;
        // The array is that of the programs which use it.
        xdp_that_enters(&mut ebpf)?;
        let mut others = Ebpf::load(aya_tests::object("donor", "tc").or(aya_tests::object("native", "tc")).ok_or("no tc")?)?;
        let classifier: &mut SchedClassifier = program(&mut others, "first")?;
        classifier.load()?;
        let mut next: ProgramArray<_> = map(&mut ebpf, "NEXT")?;
        assert_eq!(errno(next.set(0, classifier.fd()?, 0))?, Errno::EINVAL);
        assert!(matches!(next.set(3, &left, 0), Err(MapError::OutOfBounds { index: 3, max_entries: 3, .. })));
        assert!(matches!(next.clear_index(&1), Err(MapError::KeyNotFound)));
        assert!(matches!(next.clear_index(&3), Err(MapError::OutOfBounds { .. })));
        assert_eq!(errno(next.set(0, &left, 1))?, Errno::EINVAL);
        Ok(())
    }
}

fn xdp_that_enters(ebpf: &mut Ebpf) -> TestResult {
    Ok(aya_tests::xdp(ebpf, "enter")?.load()?)
}
