//! Lists of constants and rows: `IN (1, 2, 3)`, and `VALUES (1, 'a'), (2, 'b')`.
//!
//! What a statement reads and calls is a set, and how many rows or items a list has is not part of it. So
//! constants that follow one another in such a list become one, and a row that is the same as the one before it
//! is left out. Arguments of functions are another matter: their number tells overloads apart.

use std::ops::Range;

/// Where a text stands in its lists. One list is followed at a time, the outermost.
#[derive(Debug, Default)]
pub(super) struct Lists {
    /// How many parentheses are open.
    depth: usize,
    list: Option<List>,
    last: Last,
}

/// A list that is being read.
#[derive(Debug)]
struct List {
    /// How many parentheses are open around its rows.
    depth: usize,
    /// Rows of VALUES stand in no parentheses of their own, and beside nothing but rows.
    is_values: bool,
    /// Where the row that is open begins in the shape.
    row: Option<usize>,
    /// The last row that was kept there.
    kept: Option<Range<usize>>,
    /// Where the last constant ends there.
    item: usize,
}

/// What stands right before, spaces apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Last {
    #[default]
    Other,
    /// IN or VALUES.
    Opener { is_values: bool },
    /// `(`
    Open,
    /// A constant of the list.
    Item,
    /// The comma behind one.
    CommaOfItem,
    /// Another comma.
    Comma,
    /// A minus, with its place and what stood before it.
    Minus { at: usize, after_item: bool },
    /// The `)` of a row.
    RowEnd,
    /// The comma behind one.
    CommaOfRow,
}

/// A constant that is an item of a list.
#[derive(Debug)]
pub(super) struct Item {
    /// Where it begins, with its sign.
    pub(super) start: usize,
    /// It follows another one that ends there in the shape.
    pub(super) joins: Option<usize>,
}

impl Lists {
    /// Passes over a name or a keyword.
    pub(super) fn word(&mut self, word: &[u8]) {
        self.other();
        let is_values = word.eq_ignore_ascii_case(b"VALUES");
        if self.list.is_none() && (is_values || word.eq_ignore_ascii_case(b"IN")) {
            self.last = Last::Opener { is_values };
        }
    }

    /// Passes over what is none of the rest.
    pub(super) fn other(&mut self) {
        if matches!(self.last, Last::RowEnd | Last::CommaOfRow) {
            self.list.take_if(|list| list.is_values);
        }
        self.last = Last::Other;
    }

    pub(super) fn comma(&mut self) {
        self.last = match self.last {
            Last::Item => Last::CommaOfItem,
            Last::RowEnd => Last::CommaOfRow,
            _ => Last::Comma,
        };
    }

    pub(super) fn minus(&mut self, at: usize) {
        match self.last {
            Last::Open | Last::Comma | Last::CommaOfRow => {
                self.last = Last::Minus { at, after_item: false };
            }
            Last::CommaOfItem => self.last = Last::Minus { at, after_item: true },
            _ => self.other(),
        }
    }

    /// Whether a parenthesis that opens here begins a row.
    pub(super) fn opens_row(&self) -> bool {
        let in_list = self.list.as_ref().filter(|list| list.depth == self.depth);
        match self.last {
            Last::Opener { is_values } => is_values,
            Last::CommaOfRow => in_list.is_some(),
            Last::Open | Last::Comma | Last::CommaOfItem => {
                in_list.is_some_and(|list| !list.is_values)
            }
            Last::Other | Last::Item | Last::Minus { .. } | Last::RowEnd => false,
        }
    }

    /// A parenthesis opens; of a row, at this place of the shape.
    pub(super) fn open(&mut self, row: Option<usize>) {
        let follows_row = self.last == Last::CommaOfRow;
        if let Last::Opener { is_values } = self.last {
            let depth = self.depth + usize::from(!is_values);
            self.list = Some(List { depth, is_values, row: None, kept: None, item: 0 });
        } else if row.is_none() {
            self.other();
        }
        if let Some(list) = &mut self.list
            && row.is_some()
        {
            list.row = row;
            list.kept.take_if(|_| !follows_row);
        }
        self.depth += 1;
        self.last = Last::Open;
    }

    /// A parenthesis closes. If that of a row, where the row begins in the shape.
    pub(super) fn close(&mut self) -> Option<usize> {
        self.other();
        self.depth = self.depth.saturating_sub(1);
        self.list.take_if(|list| self.depth < list.depth);
        let list = self.list.as_mut()?;
        let row = list.row.take_if(|_| self.depth == list.depth)?;
        self.last = Last::RowEnd;
        Some(row)
    }

    /// A row begins at `start` of the shape and ends with it. Returns where the shape ends now.
    pub(super) fn put_row(&mut self, start: usize, shape: &[u8]) -> usize {
        let Some(list) = &mut self.list else { return shape.len() };
        let row = start..shape.len();
        if let Some(kept) = &list.kept
            && shape.get(kept.clone()) == shape.get(row.clone())
        {
            return kept.end;
        }
        list.kept = Some(row);
        shape.len()
    }

    /// Whether a constant at this place of the text may be an item of a list: what is before it says so.
    pub(super) fn item(&self, at: usize) -> Option<Item> {
        let list = self.list.as_ref()?;
        let inside = list.row.is_some() && self.depth == list.depth + 1
            || !list.is_values && self.depth == list.depth;
        let (start, joins) = match self.last {
            Last::Open | Last::Comma | Last::CommaOfRow => (at, false),
            Last::CommaOfItem => (at, true),
            Last::Minus { at, after_item } => (at, after_item),
            Last::Other | Last::Opener { .. } | Last::Item | Last::RowEnd => return None,
        };
        inside.then_some(Item { start, joins: joins.then_some(list.item) })
    }

    /// The constant is in the shape, which ends behind it.
    pub(super) fn put_item(&mut self, end: usize) {
        if let Some(list) = &mut self.list {
            list.item = end;
        }
        self.last = Last::Item;
    }
}
