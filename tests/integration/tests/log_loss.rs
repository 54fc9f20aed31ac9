//! Records that find no room are counted, and the count is reported.

use aya::{
    EbpfLoader,
    programs::{TestRun as _, TestRunOptions},
};
use aya_log::EbpfLogger;
use aya_tests::{Recorder, frame, in_both_modes, xdp};

/// Records of one run, and runs: far more than a page holds.
const RECORDS: u64 = 5;
const RUNS: u32 = 1000;

in_both_modes! {
    /// What arrives and what is lost are together what was sent, and the loss is reported once.
    fn lost_records_are_counted(object: "logs", since 5, 8) {
        let mut ebpf = EbpfLoader::new().map_max_entries("AYA_LOGS", 4096).load(object)?;
        let recorder = Recorder::default();
        let mut logger = EbpfLogger::init_with_logger(&mut ebpf, recorder.clone())?;
        assert_eq!(logger.lost(), 0);
        let program = xdp(&mut ebpf, "levels")?;
        program.load()?;
        let packet = frame(&aya_netlab::udp_packet([1, 1, 1, 1].into(), 1, 2, b"payload"));
        program.test_run(TestRunOptions {
            data_in: Some(&packet),
            repeat: RUNS,
            ..TestRunOptions::default()
        })?;
        let lost = logger.lost();
        assert!(lost > 0);
        logger.flush();
        let mut messages = recorder.take();
        let report = messages.pop().ok_or("nothing was reported")?;
        assert_eq!(report.target, "aya_log");
        assert!(report.text.starts_with(&format!("{lost} log records were lost")), "{}", report.text);
        assert_eq!(messages.len() as u64 + lost, RECORDS * u64::from(RUNS));
        assert_eq!(logger.malformed(), 0);

        logger.flush();
        assert!(recorder.take().is_empty(), "reported again");
        Ok(())
    }
}
