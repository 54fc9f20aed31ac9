//! Logging: levels, targets, places, and every sort of value.

use aya::{
    Ebpf, EbpfLoader,
    features::{Feature, Features},
    programs::{TestRun as _, TestRunOptions, Xdp, xdp::XdpAttachType},
};
use aya_log::{EbpfLogger, Error};
use aya_tests::{Message, Recorder, TestResult, frame, in_both_modes, xdp};
use log::Level;

/// Runs a program once and returns what it logged.
fn logged(loader: &mut EbpfLoader<'_>, object: &[u8], program: &str) -> TestResult<Vec<Message>> {
    let mut ebpf: Ebpf = loader.load(object)?;
    let recorder = Recorder::default();
    let mut logger = EbpfLogger::init_with_logger(&mut ebpf, recorder.clone())?;
    let program = xdp(&mut ebpf, program)?;
    program.load()?;
    let packet = frame(&aya_netlab::udp_packet(
        [1, 1, 1, 1].into(),
        1,
        2,
        b"payload",
    ));
    program.test_run(TestRunOptions {
        data_in: Some(&packet),
        ..TestRunOptions::default()
    })?;
    logger.flush();
    Ok(recorder.take())
}

in_both_modes! {
    /// Each level arrives as itself, with target and place.
    fn levels(object: "logs", since 5, 8) {
        let messages = logged(&mut EbpfLoader::new(), object, "levels")?;
        let levels: Vec<_> = messages.iter().map(|message| message.level).collect();
        assert_eq!(levels, [Level::Error, Level::Warn, Level::Info, Level::Debug, Level::Trace]);
        let targets: Vec<_> = messages.iter().map(|message| message.target.as_str()).collect();
        assert_eq!(targets, ["logs", "logs", "elsewhere", "logs", "logs"]);
        assert!(messages.iter().all(|message| message.file.ends_with("logs.rs")), "{messages:?}");
        assert!(messages.windows(2).all(|pair| pair[0].line < pair[1].line), "{messages:?}");
        Ok(())
    }

    /// The macros mean the same in a crate with other names, and take any number of arguments.
    fn names_of_the_crate_do_not_matter(object: "hygiene", since 5, 8) {
        let messages = logged(&mut EbpfLoader::new(), object, "xdp")?;
        let texts: Vec<_> = messages.iter().map(|message| message.text.as_str()).collect();
        // Ethernet, IPv4, UDP and 7 bytes.
        assert_eq!(texts, [
            "nothing",
            "49",
            "8 01:02:03:04:05:06",
            "1 2 3 4 5 6 7 8 true 10 11 12 13 14 15 49",
        ]);
        Ok(())
    }

    /// Levels beyond the one set at load are not sent.
    fn a_level_is_set_at_load(object: "logs", since 5, 8) {
        let level = aya_log::Level::Warn as u8;
        let mut loader = EbpfLoader::new();
        loader.override_global(aya_log::LEVEL, &level, true);
        let messages = logged(&mut loader, object, "levels")?;
        assert_eq!(messages.len(), 2, "{messages:?}");
        Ok(())
    }

    /// To the verifier, a disabled level is code that is never reached, and it takes it out.
    fn a_disabled_level_is_dead_code(object: "logs", since 5, 8) {
        let size = |level: u8| -> TestResult<u32> {
            let mut ebpf = EbpfLoader::new().override_global(aya_log::LEVEL, &level, true).load(object)?;
            let program = xdp(&mut ebpf, "levels")?;
            program.load()?;
            Ok(program.info()?.size_translated().ok_or("no size")?)
        };
        let (none, error, all) = (size(0)?, size(1)?, size(5)?);
        assert!(none < error && error < all, "{none}, {error}, {all}");
        Ok(())
    }

    /// Every hint and type.
    fn values(object: "logs", since 5, 8) {
        assert_eq!(texts(&mut EbpfLoader::new(), object)?, VALUES);
        Ok(())
    }

    /// Another process than the one that loaded a program can read its logs, and know it only by its
    /// id: what the loader had besides the program itself is gone here.
    fn a_loaded_program_can_be_heard_by_its_id(object: "logs", since 5, 10) {
        let mut ebpf: Ebpf = EbpfLoader::new().load(object)?;
        let program = xdp(&mut ebpf, "levels")?;
        program.load()?;
        let id = program.info()?.id();
        let name = "levels".into();
        let program = Xdp::from_program_info(program.info()?, name, XdpAttachType::Interface)?;
        drop(ebpf);

        let recorder = Recorder::default();
        let mut logger = EbpfLogger::init_from_id_with_logger(id, recorder.clone())?;
        program.test_run(TestRunOptions {
            data_in: Some(&[0; 64]),
            ..TestRunOptions::default()
        })?;
        logger.flush();
        assert_eq!(recorder.take().len(), 5);

        drop((program, logger));
        let gone = EbpfLogger::init_from_id(id).err();
        assert!(matches!(gone, Some(Error::ProgramNotFound)), "{gone:?}");
        Ok(())
    }

    /// On kernels that cannot keep the texts beside a program, it loads and says that they are missing.
    fn without_the_texts_there_is_no_logger(object: "logs", since 5, 8) {
        let features = Features::without(&[Feature::BindMap]);
        let mut ebpf: Ebpf = EbpfLoader::new().features(features).load(object)?;
        let program = xdp(&mut ebpf, "levels")?;
        program.load()?;
        let error = EbpfLogger::init_from_id(program.info()?.id()).err();
        assert!(matches!(error, Some(Error::DescriptorsNotFound)), "{error:?}");
        Ok(())
    }

    /// Where there are no ring buffers (before 5.8) the same records come through a perf event array.
    fn values_without_ring_buffers(object: "logs", since 5, 8) {
        let mut loader = EbpfLoader::new();
        loader.features(Features::without(&[Feature::RingBuf]));
        assert_eq!(texts(&mut loader, object)?, VALUES);
        Ok(())
    }
}

/// What the program `values` logs.
const VALUES: [&str; 5] = [
    "49 -2 3 -4",
    "abc DEF true",
    "1.1.1.1 2001:db8::1",
    "02:00:00:00:00:ab 02:00:00:00:00:CD",
    "text and 6279746573",
];

fn texts(loader: &mut EbpfLoader<'_>, object: &[u8]) -> TestResult<Vec<String>> {
    let messages = logged(loader, object, "values")?;
    Ok(messages.into_iter().map(|message| message.text).collect())
}
