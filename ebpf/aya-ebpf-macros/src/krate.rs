//! The name under which the caller knows `aya-ebpf`.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::Ident;

/// `::aya_ebpf`, or `::aya_bpf` where the crate depends on the old name only.
pub(crate) fn path() -> TokenStream {
    let name = Ident::new(name(std::env::args()), Span::call_site());
    quote!(::#name)
}

/// A macro runs inside the compiler, whose command line says exactly which crates the caller can
/// name; its manifest would have to be found and parsed, and does not exist outside of cargo.
fn name(args: impl Iterator<Item = String>) -> &'static str {
    let (mut new, mut old) = (false, false);
    let mut after_extern = false;
    for arg in args {
        let value = match arg.strip_prefix("--extern") {
            Some("") => {
                after_extern = true;
                continue;
            }
            Some(value) => value.trim_start_matches('='),
            None if after_extern => arg.as_str(),
            None => continue,
        };
        after_extern = false;
        // `options:name=path`
        let name = value.split('=').next().unwrap_or(value);
        match name.rsplit(':').next() {
            Some("aya_ebpf") => new = true,
            Some("aya_bpf") => old = true,
            _ => {}
        }
    }
    if old && !new { "aya_bpf" } else { "aya_ebpf" }
}

#[cfg(test)]
mod tests {
    use super::name;

    fn given(args: &str) -> &'static str {
        name(args.split(' ').map(str::to_owned))
    }

    #[test]
    fn the_old_name_only_where_it_is_the_only_one() {
        assert_eq!(given("rustc --extern aya_ebpf=/a.rlib x.rs"), "aya_ebpf");
        assert_eq!(given("rustc --extern aya_bpf=/a.rlib x.rs"), "aya_bpf");
        assert_eq!(
            given("rustc --extern=noprelude:aya_bpf=/a.rlib x.rs"),
            "aya_bpf"
        );
        assert_eq!(
            given("rustc --extern aya_bpf=/a.rlib --extern aya_ebpf=/b.rlib"),
            "aya_ebpf"
        );
        assert_eq!(given("rustc aya_bpf.rs"), "aya_ebpf");
    }
}
