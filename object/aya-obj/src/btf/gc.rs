//! Keep only the types and strings that are reachable.

use alloc::{collections::BTreeMap, vec, vec::Vec};

use super::{Btf, BtfExt, Kind, Name, TypeId, read::usize_of};

impl Btf {
    /// Drops every type that cannot be reached from `roots`, from the records of `ext` or from a
    /// kept type's tags, and every string that nothing names any more. Types keep their order and
    /// get new numbers, which go into `ext` too; the result gives the new number of each old one
    /// (index 0 is `void`), `None` where it was dropped.
    pub fn retain(
        &mut self,
        roots: impl IntoIterator<Item = TypeId>,
        ext: &mut BtfExt,
    ) -> Vec<Option<TypeId>> {
        let mut pending: Vec<TypeId> = roots.into_iter().collect();
        ext.visit_mut(|_| {}, |ty| pending.push(*ty));
        let keep = self.reachable(pending);

        let mut next = 0;
        let renumbered: Vec<Option<TypeId>> = keep
            .iter()
            .map(|&keep| {
                keep.then(|| {
                    let id = TypeId(next);
                    next += 1;
                    id
                })
            })
            .collect();

        let mut compact = Self::new();
        let mut names = BTreeMap::new();
        let mut rename = |from: &Self, to: &mut Self, name: &mut Name| {
            *name = *names
                .entry(*name)
                .or_insert_with(|| to.intern(from.name(*name)));
        };
        let renumber = |ty: &mut TypeId| {
            let new = renumbered.get(usize_of(ty.0)).copied().flatten();
            *ty = new.unwrap_or(TypeId::VOID);
        };
        for (id, ty) in self.iter() {
            if keep.get(usize_of(id.0)) == Some(&true) {
                let mut ty = ty.clone();
                ty.visit_mut(|name| rename(self, &mut compact, name), renumber);
                compact.types.push(ty);
            }
        }
        ext.visit_mut(|name| rename(self, &mut compact, name), renumber);
        *self = compact;
        renumbered
    }

    /// Which types are reachable, by number.
    fn reachable(&self, mut pending: Vec<TypeId>) -> Vec<bool> {
        let mut tags: BTreeMap<TypeId, Vec<TypeId>> = BTreeMap::new();
        for (id, ty) in self.iter() {
            if let Kind::DeclTag { ty, .. } = ty.kind {
                tags.entry(ty).or_default().push(id);
            }
        }
        let mut keep = vec![false; self.types.len() + 1];
        if let Some(void) = keep.first_mut() {
            *void = true;
        }
        while let Some(id) = pending.pop() {
            let Some(seen) = keep.get_mut(usize_of(id.0)) else {
                continue;
            };
            if core::mem::replace(seen, true) {
                continue;
            }
            if let Some(ty) = self.get(id) {
                ty.visit(|_| {}, |to| pending.push(*to));
            }
            pending.extend(tags.get(&id).into_iter().flatten());
        }
        keep
    }
}
