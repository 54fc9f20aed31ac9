//! `#[map]`: a static becomes a map definition in the object.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::{Result, spanned::Spanned};

use crate::{args::Args, item::MapStatic, krate};

/// Expands `#[map]` on `item`.
pub(crate) fn expand(args: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let map: MapStatic = syn::parse2(item.clone())?;
    let mut args: Args = syn::parse2(args)?;
    let symbol = args.name()?.unwrap_or(map.name).to_string();
    args.finish("`name = \"…\"`")?;

    let krate = krate::path();
    let ty = map.ty;
    let check = quote_spanned!(ty.span()=> #krate::maps::is_map::<#ty>());
    Ok(quote! {
        // SAFETY: the symbol is the map's name, which the object has once; the section is where the
        // linker looks for map definitions.
        #[unsafe(export_name = #symbol)]
        #[unsafe(link_section = "maps")]
        #item

        const _: () = #check;
    })
}
