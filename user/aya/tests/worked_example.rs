//! The diff in `CONTRIBUTING.md` that adds a type of program is what stands in the files, and short.

use std::{error::Error, fs, path::Path};

/// More than this is too much to add a type of program.
const MOST_LINES: usize = 60;

#[test]
fn the_diff_of_a_type_is_true_and_short() -> Result<(), Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let guide = fs::read_to_string(root.join("CONTRIBUTING.md"))?;
    let (_, diff) = guide.split_once("```diff\n").ok_or("no diff")?;
    let (diff, _) = diff.split_once("\n```").ok_or("the diff has no end")?;
    let (mut files, mut changed) = (0, 0);
    let mut file = String::new();
    for line in diff.lines() {
        if let Some(path) = line.strip_prefix("+++ b/") {
            file = fs::read_to_string(root.join(path))?;
            files += 1;
        } else if let Some(added) = line.strip_prefix('+') {
            assert!(file.lines().any(|line| line == added), "{added}");
            changed += 1;
        } else if line.starts_with('-') && !line.starts_with("--- ") {
            changed += 1;
        }
    }
    assert!(files == 4 && changed > 0, "{files} files, {changed} lines");
    assert!(changed <= MOST_LINES, "{changed} lines");
    Ok(())
}
