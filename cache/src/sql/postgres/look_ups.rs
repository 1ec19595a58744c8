//! What of the server's own catalogs is cached: what only DDL changes, by name, default-deny.
//!
//! All system catalogs together are one table ([`TableName::catalogs`]). DDL writes everything, and so that too; what changes
//! catalogs and no more than those (COMMENT, GRANT, a plain index, a temporary object) writes this table alone. What is
//! shared by all databases of a server (roles, databases, tablespaces) is not read: it changes by what is said to another
//! database. Of it only the names of roles, and who is a member of whom, are seen through functions, as old as `max_age`.
//!
//! Statistics, activity, locks, sizes and what sequences gave change without a statement. So do some columns of
//! `pg_class`, which VACUUM and autovacuum keep: a statement that may read one of these, by its name, by `*` or as a part
//! of the whole row, is not cached.

use std::collections::BTreeSet;

use crate::sql::common::TableName;

/// Whether a schema is one of the server's own.
pub(super) fn is_system(schema: &str) -> bool {
    ["pg_catalog", "information_schema", "pg_toast"].contains(&schema)
}

/// Whether a relation of these schemas only changes by DDL, but for its restless columns.
pub(super) fn is_steady(schema: &str, name: &str) -> bool {
    match schema {
        "pg_catalog" => CATALOGS.contains(&name),
        "information_schema" => SCHEMA_VIEWS.contains(&name),
        _ => false,
    }
}

/// Whether some columns of a relation change by themselves.
pub(super) fn is_restless(table: &TableName) -> bool {
    table.name == "pg_class" && matches!(table.schema.as_deref(), None | Some("pg_catalog"))
}

/// Whether a column of this name may be one of these.
pub(super) fn is_restless_column(name: &str) -> bool {
    RESTLESS.contains(&name)
}

/// Whether values of this type, one of PostgreSQL's own, are names of objects, and are looked up where they are cast or told.
pub(super) fn is_name_of_object(name: &str) -> bool {
    OBJECT_NAMES.contains(&name)
}

/// What a statement does with the relations that have restless columns, as the walk meets it.
#[derive(Debug, Default)]
pub(super) struct Rows {
    /// The names that they go by.
    names: BTreeSet<String>,
    /// Names that may stand for a whole row: of a column without a relation before it, or before `.*`.
    whole: BTreeSet<String>,
    /// Of the SELECT that is being walked: whether it names one in its FROM, and whether it has a `*`.
    here: Here,
    /// A column is named that may be restless, or all may be read.
    is_sure: bool,
}

/// What one SELECT has of its own, without those within it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Here {
    names_one: bool,
    has_star: bool,
}

impl Rows {
    /// A SELECT begins; what was of the one around it is to be given back.
    pub(super) fn enter(&mut self) -> Here {
        std::mem::take(&mut self.here)
    }

    /// The SELECT ends.
    pub(super) fn leave(&mut self, outer: Here) {
        self.is_sure |= self.here.names_one && self.here.has_star;
        self.here = outer;
    }

    /// A relation with restless columns goes by this name; its columns may have got others.
    pub(super) fn named(&mut self, name: &str, is_renamed: bool) {
        self.names.insert(name.to_owned());
        self.here.names_one = true;
        self.is_sure |= is_renamed;
    }

    /// What is joined in the FROM of this SELECT goes by this name.
    pub(super) fn joined(&mut self, name: &str, is_renamed: bool) {
        if self.here.names_one {
            self.named(name, is_renamed);
        }
    }

    /// A column, by the parts of its name. The last part is missing where it is a `*`.
    pub(super) fn column(&mut self, names: &[&str], is_star: bool) {
        match names {
            [] => self.here.has_star |= is_star,
            [name] => {
                self.whole.insert((*name).to_owned());
            }
            [.., name] if is_star => {
                self.whole.insert((*name).to_owned());
            }
            [..] => {}
        }
        if !is_star && let Some(name) = names.last() {
            self.name(name);
        }
    }

    /// The name of a column, wherever it stands.
    pub(super) fn name(&mut self, name: &str) {
        self.is_sure |= is_restless_column(name);
    }

    /// A join compares all columns that have the same name.
    pub(super) fn compares_all(&mut self) {
        self.here.has_star = true;
    }

    /// Whether a restless column may be read.
    pub(super) fn are_read(&self) -> bool {
        !self.names.is_empty() && (self.is_sure || !self.names.is_disjoint(&self.whole))
    }
}

/// The catalogs, and views of them, that only change by DDL.
const CATALOGS: [&str; 53] = [
    "pg_aggregate",
    "pg_am",
    "pg_amop",
    "pg_amproc",
    "pg_attrdef",
    "pg_attribute",
    "pg_cast",
    "pg_class",
    "pg_collation",
    "pg_constraint",
    "pg_conversion",
    "pg_default_acl",
    "pg_depend",
    "pg_description",
    "pg_enum",
    "pg_event_trigger",
    "pg_extension",
    "pg_foreign_data_wrapper",
    "pg_foreign_server",
    "pg_foreign_table",
    "pg_index",
    "pg_indexes",
    "pg_inherits",
    "pg_init_privs",
    "pg_language",
    "pg_matviews",
    "pg_namespace",
    "pg_opclass",
    "pg_operator",
    "pg_opfamily",
    "pg_partitioned_table",
    "pg_policies",
    "pg_policy",
    "pg_proc",
    "pg_publication",
    "pg_publication_namespace",
    "pg_publication_rel",
    "pg_range",
    "pg_rewrite",
    "pg_rules",
    "pg_seclabel",
    // How a sequence counts; how far it has come is in the sequence itself, and in the view pg_sequences.
    "pg_sequence",
    "pg_statistic_ext",
    "pg_tables",
    "pg_transform",
    "pg_trigger",
    "pg_ts_config",
    "pg_ts_config_map",
    "pg_ts_dict",
    "pg_ts_parser",
    "pg_ts_template",
    "pg_type",
    "pg_views",
];

/// The views of `information_schema` that only change by DDL.
const SCHEMA_VIEWS: [&str; 43] = [
    "attributes",
    "character_sets",
    "check_constraint_routine_usage",
    "check_constraints",
    "collation_character_set_applicability",
    "collations",
    "column_column_usage",
    "column_domain_usage",
    "column_options",
    "column_privileges",
    "column_udt_usage",
    "columns",
    "constraint_column_usage",
    "constraint_table_usage",
    "data_type_privileges",
    "domain_constraints",
    "domain_udt_usage",
    "domains",
    "element_types",
    "information_schema_catalog_name",
    "key_column_usage",
    "parameters",
    "referential_constraints",
    "role_column_grants",
    "role_routine_grants",
    "role_table_grants",
    "routine_column_usage",
    "routine_privileges",
    "routine_routine_usage",
    "routine_sequence_usage",
    "routine_table_usage",
    "routines",
    "schemata",
    "sequences",
    "table_constraints",
    "table_privileges",
    "tables",
    "triggered_update_columns",
    "triggers",
    "user_defined_types",
    "view_column_usage",
    "view_table_usage",
    "views",
];

/// The columns of `pg_class` that change by themselves; `relfilenode` also by TRUNCATE. `relhasindex`, `relhasrules`,
/// `relhastriggers` and `relhassubclass` are cleared by VACUUM some time after DDL made them false, and until then say
/// more than is there to everybody who asks.
const RESTLESS: [&str; 7] = [
    "relallfrozen",
    "relallvisible",
    "relfilenode",
    "relfrozenxid",
    "relminmxid",
    "relpages",
    "reltuples",
];

const OBJECT_NAMES: [&str; 10] = [
    "regclass",
    "regcollation",
    "regconfig",
    "regdictionary",
    "regnamespace",
    "regoper",
    "regoperator",
    "regproc",
    "regprocedure",
    "regtype",
];
