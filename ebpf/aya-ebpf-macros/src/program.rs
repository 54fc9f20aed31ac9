//! The one implementation behind all program attributes: a row of the program table in, the
//! function that the kernel calls out.

use aya_uapi::programs::{self, ProgramDef};
use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::{Error, Result, spanned::Spanned};

use crate::{args::Args, hook, item::ProgramFn, krate, target};

/// Expands the attribute called `row` on `item`.
pub(crate) fn expand(row: &str, args: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let Some(def) = programs::program(row) else {
        let message = format!("`{row}` is not in the program table");
        return Err(Error::new(Span::call_site(), message));
    };
    if !def.supported {
        let message = format!(
            "`#[{row}]` ({} programs) is not supported yet: remove the program, or load it from an \
             object that another toolchain made",
            def.prog_type
        );
        return Err(Error::new(Span::call_site(), message));
    }
    let program: ProgramFn = syn::parse2(item.clone())?;
    let mut args: Args = syn::parse2(args)?;
    // First, since some targets have a name too.
    let section = section(def, &mut args)?;
    let symbol = args.name()?.unwrap_or_else(|| program.name.clone());
    args.finish(&known(def))?;

    let krate = krate::path();
    let context = syn::Ident::new(def.context, Span::call_site());
    let ProgramFn {
        attrs,
        unsafety,
        name,
        context: given,
        output,
    } = program;
    // One call site: the program is its body, unless the author says otherwise.
    let inline = (!attrs.iter().any(|attr| attr.path().is_ident("inline")))
        .then(|| quote!(#[inline(always)]));
    // At the written type, so that a wrong context is reported there, with both types' names.
    let argument = quote_spanned!(given.span()=>
        #krate::programs::context::<#krate::programs::#context, #given>(ctx)
    );
    let call = quote!(__aya_program(ctx));
    let call = match unsafety {
        Some(unsafety) => quote!(#unsafety { #call }),
        None => call,
    };
    // At the written return type, for the same reason.
    let (output, returned) = match output {
        Some(output) => {
            let returned = quote_spanned!(output.span()=>
                #krate::programs::returned::<#krate::programs::#context, #output>(#call)
            );
            (quote!(#output), returned)
        }
        None => {
            let nothing = quote_spanned!(name.span()=>
                #krate::programs::nothing::<#krate::programs::#context>()
            );
            (quote!(u32), quote!({ #call; #nothing }))
        }
    };
    Ok(quote! {
        #inline
        #item

        const _: () = {
            use self::#name as __aya_program;

            // SAFETY: the symbol is the program's name, which the object has once; the section is
            // where a loader looks for programs of this type.
            #[unsafe(no_mangle)]
            #[unsafe(link_section = #section)]
            extern "C" fn #symbol(ctx: *mut ::core::ffi::c_void) -> #output {
                // SAFETY: the kernel calls programs of this type with this context.
                let ctx = unsafe { #argument };
                #returned
            }
        };
    })
}

/// The section that the arguments select: one that the table has for this kind of program.
fn section(def: &ProgramDef, args: &mut Args) -> Result<String> {
    let Some(base) = def.sections.first() else {
        let message = format!("`{}` has no section", def.name);
        return Err(Error::new(Span::call_site(), message));
    };
    let mut section = match hook::section(def, args)? {
        Some(chosen) => chosen.to_owned(),
        None => base.prefix.to_owned(),
    };
    for (flag, suffix) in FLAGS {
        if has(def, |prefix| prefix.contains(suffix)) && args.flag(flag)? {
            section.push_str(suffix);
        }
    }
    let mut span = Span::call_site();
    if has(def, |prefix| MAPS.iter().any(|map| prefix.ends_with(map)))
        && let Some(map) = args.value("map")?
    {
        section = format!("{section}/{}", map.value());
        span = map.span();
    }
    if has(def, |prefix| prefix == section) {
        section.push_str(&target::of(def, args)?);
        return Ok(section);
    }
    let sections: Vec<_> = def.sections.iter().map(|row| row.prefix).collect();
    let message = format!(
        "no section `{section}` for `#[{}]`; there are: {}",
        def.name,
        sections.join(", ")
    );
    Err(Error::new(span, message))
}

/// Flags and what they add to the section's name.
const FLAGS: [(&str, &str); 2] = [("frags", ".frags"), ("sleepable", ".s")];
/// Maps that a program can be attached to, by the section's end.
const MAPS: [&str; 2] = ["/cpumap", "/devmap"];

fn has(def: &ProgramDef, test: impl Fn(&str) -> bool) -> bool {
    def.sections.iter().any(|section| test(section.prefix))
}

/// What `#[…]` of this row may be given, for messages.
fn known(def: &ProgramDef) -> String {
    let mut known = vec!["`name = \"…\"`".to_owned()];
    for (flag, suffix) in FLAGS {
        if has(def, |prefix| prefix.contains(suffix)) {
            known.push(format!("`{flag}`"));
        }
    }
    for map in MAPS {
        if has(def, |prefix| prefix.ends_with(map)) {
            known.push(format!("`map = \"{}\"`", &map[1..]));
        }
    }
    known.extend(target::known(def));
    known.extend(hook::known(def));
    known.join(", ")
}
