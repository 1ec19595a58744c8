//! The module tree of a crate as its source tells it: what each module declares, imports and mentions by path.
//!
//! What is compiled for tests only is left out, and generated code is not opened.

use std::{
    collections::{HashMap, HashSet},
    fs,
    path::{Path, PathBuf},
};

use proc_macro2::{TokenStream, TokenTree};
use syn::{
    Attribute, Expr, ExprLit, ImplItemFn, Item, ItemMod, ItemUse, Lit, Macro, Meta, UseTree,
    VisRestricted, ext::IdentExt, spanned::Spanned, visit,
};

/// How the names of generated files end.
const GENERATED: &str = "_capnp.rs";

/// A module, in a file of its own or inline.
#[derive(Debug, Default)]
pub(super) struct Module {
    pub(super) file: PathBuf,
    pub(super) parent: Option<usize>,
    pub(super) children: HashMap<String, usize>,
    /// The names of what it defines itself.
    pub(super) items: HashSet<String>,
    pub(super) imports: Vec<Import>,
    /// Paths of two names or more that are written out in code.
    pub(super) mentions: Vec<Mention>,
}

/// One name of a `use`.
#[derive(Debug)]
pub(super) struct Import {
    /// What it is called here; a glob has no name.
    pub(super) name: Option<String>,
    pub(super) from: Mention,
}

/// A path as it is written, and where.
#[derive(Debug)]
pub(super) struct Mention {
    pub(super) path: Vec<String>,
    pub(super) line: usize,
}

/// All modules of a crate; the first is its root.
#[derive(Debug, Default)]
pub(super) struct Source {
    pub(super) modules: Vec<Module>,
}

impl Source {
    /// Reads a crate from its root file on.
    pub(super) fn read(root: &Path) -> Self {
        let mut source = Self::default();
        source.read_file(root.to_owned(), None, root.parent().unwrap_or(root));
        source
    }

    /// Reads the file of a module whose children are in `folder`.
    fn read_file(&mut self, file: PathBuf, parent: Option<usize>, folder: &Path) -> usize {
        let is_generated = file.to_string_lossy().ends_with(GENERATED);
        let text = if is_generated { Ok(String::new()) } else { fs::read_to_string(&file) };
        let text = text.unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let parsed = syn::parse_file(&text);
        let parsed = parsed.unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        self.add(file, parent, folder, &parsed.items)
    }

    fn add(
        &mut self,
        file: PathBuf,
        parent: Option<usize>,
        folder: &Path,
        items: &[Item],
    ) -> usize {
        let id = self.modules.len();
        self.modules.push(Module { file, parent, ..Module::default() });
        for item in items.iter().filter(|item| !is_for_tests(attributes(item))) {
            if let Item::Mod(declared) = item {
                let child = self.read_child(id, folder, declared);
                self.modules[id].children.insert(name(&declared.ident), child);
            } else {
                let module = &mut self.modules[id];
                module.items.extend(defined(item));
                visit::visit_item(&mut Reader { module }, item);
            }
        }
        id
    }

    fn read_child(&mut self, parent: usize, folder: &Path, declared: &ItemMod) -> usize {
        let below = folder.join(name(&declared.ident));
        if let Some((_, items)) = &declared.content {
            return self.add(self.modules[parent].file.clone(), Some(parent), &below, items);
        }
        if let Some(path) = declared.attrs.iter().find_map(given_path) {
            let file = self.modules[parent].file.with_file_name(path);
            let folder = file.parent().unwrap_or(folder).to_owned();
            return self.read_file(file, Some(parent), &folder);
        }
        let [flat, nested] = [below.with_extension("rs"), below.join("mod.rs")];
        self.read_file(if nested.exists() { nested } else { flat }, Some(parent), &below)
    }
}

/// Gathers what the code of one module imports and mentions.
struct Reader<'a> {
    module: &'a mut Module,
}

impl Reader<'_> {
    fn mention(&mut self, path: Vec<String>, line: usize) {
        if path.len() > 1 {
            self.module.mentions.push(Mention { path, line });
        }
    }

    fn import(&mut self, tree: &UseTree, before: &[String]) {
        let line = tree.span().start().line;
        let with = |last: String| [before, &[last]].concat();
        let (name, path) = match tree {
            UseTree::Path(path) => return self.import(&path.tree, &with(name(&path.ident))),
            UseTree::Group(group) => {
                return group.items.iter().for_each(|tree| self.import(tree, before));
            }
            UseTree::Glob(_) => (None, before.to_vec()),
            // The `self` stays: it means the module and not a function of the same name.
            UseTree::Name(last) if last.ident == "self" => {
                (before.last().cloned(), with(name(&last.ident)))
            }
            UseTree::Name(last) => (Some(name(&last.ident)), with(name(&last.ident))),
            UseTree::Rename(last) => (Some(name(&last.rename)), with(name(&last.ident))),
        };
        self.module.imports.push(Import { name, from: Mention { path, line } });
    }

    /// The arguments of a macro are not parsed: what in them looks like a path is one.
    fn tokens(&mut self, tokens: TokenStream) {
        let (mut path, mut line, mut colons) = (Vec::new(), 0, 0);
        for token in tokens {
            match token {
                TokenTree::Ident(ident) => {
                    if colons != 2 {
                        self.mention(std::mem::take(&mut path), line);
                        line = ident.span().start().line;
                    }
                    path.push(name(&ident));
                    colons = 0;
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
                other => {
                    self.mention(std::mem::take(&mut path), line);
                    colons = 0;
                    if let TokenTree::Group(group) = other {
                        self.tokens(group.stream());
                    }
                }
            }
        }
        self.mention(path, line);
    }
}

impl<'ast> visit::Visit<'ast> for Reader<'_> {
    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.leading_colon.is_none() {
            let names = path.segments.iter().map(|segment| name(&segment.ident)).collect();
            self.mention(names, path.span().start().line);
        }
        visit::visit_path(self, path);
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        if item.leading_colon.is_none() && !is_for_tests(&item.attrs) {
            self.import(&item.tree, &[]);
        }
    }

    fn visit_macro(&mut self, called: &'ast Macro) {
        self.visit_path(&called.path);
        self.tokens(called.tokens.clone());
    }

    fn visit_impl_item_fn(&mut self, method: &'ast ImplItemFn) {
        if !is_for_tests(&method.attrs) {
            visit::visit_impl_item_fn(self, method);
        }
    }

    /// `pub(super)` imports nothing.
    fn visit_vis_restricted(&mut self, _: &'ast VisRestricted) {}

    fn visit_attribute(&mut self, _: &'ast Attribute) {}
}

fn name(ident: &syn::Ident) -> String {
    ident.unraw().to_string()
}

/// The name that an item has in its module.
fn defined(item: &Item) -> Option<String> {
    let ident = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Macro(item) => item.ident.as_ref()?,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Union(item) => &item.ident,
        _ => return None,
    };
    Some(name(ident))
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// Whether it stands behind `#[cfg(test)]`.
fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        Meta::List(list) => list.path.is_ident("cfg") && list.tokens.to_string() == "test",
        Meta::Path(_) | Meta::NameValue(_) => false,
    })
}

/// The file that `#[path = "…"]` names.
fn given_path(attribute: &Attribute) -> Option<String> {
    let Meta::NameValue(pair) = &attribute.meta else { return None };
    match &pair.value {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) if pair.path.is_ident("path") => {
            Some(text.value())
        }
        _ => None,
    }
}
