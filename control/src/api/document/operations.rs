//! Every route of the API, one line each. A test holds it against the router, and another each scope against `authorize`.

use super::operation::{
    Answer::{All, Never, Nothing, One, Page},
    Group, Operation, delete, get, patch, post, put,
};
use crate::resources::Scope::Admin;

/// All of them, by what they are about.
pub(super) const GROUPS: &[Group] = &[
    ("Who asks", "", WHO),
    ("Tokens of the API", "/user/tokens", TOKENS),
    ("Configs", "/accounts/{account}/hyperdrive/configs", CONFIGS),
    ("What clients do", "/accounts/{account}/hyperdrive", ACTIVITY),
    ("Credentials", "/accounts/{account}/hyperdrive/configs/{id}/credentials", CREDENTIALS),
    ("Certificates", "/accounts/{account}/mtls_certificates", CERTIFICATES),
    ("Service tokens", "/accounts/{account}/access/service_tokens", SERVICE_TOKENS),
    ("Policies", "/accounts/{account}/access/policies", POLICIES),
    ("Applications", "/accounts/{account}/access/apps", APPLICATIONS),
    ("Tunnels", "/accounts/{account}/cfd_tunnel", TUNNELS),
    ("Hostnames", "", HOSTNAMES),
];

const WHO: &[Operation] = &[
    get("/openapi.json", "This document.", Nothing).of_everybody(),
    get("/user", "Who asks.", One("User")),
    get("/user/tokens/verify", "Whether the token is valid.", One("Verified")),
    get("/memberships", "The accounts that the token may see.", Page("Membership")),
    get("/accounts", "The accounts that the token may see.", Page("Account")),
    post("/accounts", "Makes an account and its zone.", One("Account"))
        .of(Admin)
        .takes("NewAccount"),
    get("/accounts/{account}", "An account.", One("Account")),
    get("/zones", "The zones that the token may see.", Page("Zone"))
        .filters(&["account.id", "name"]),
    get("/zones/{zone}", "A zone.", One("Zone")),
    get("/audit", "Who changed what, the latest first.", All("AuditRecord"))
        .of(Admin)
        .filters(&["before", "count"]),
    get("/nodes", "The nodes, and how they are.", All("Node")),
];

const TOKENS: &[Operation] = &[
    get("", "The tokens, without their texts.", Page("Token")).of(Admin),
    post("", "Makes a token, and tells it once.", One("TokenTold")).of(Admin).takes("NewToken"),
    get("/{id}", "A token, without its text.", One("Token")).of(Admin),
    delete("/{id}", "Deletes a token.", One("Removed")).of(Admin),
    put("/{id}/value", "Gives a token another text, and tells it once.", One("Text")).of(Admin),
];

const CONFIGS: &[Operation] = &[
    get("", "The configs.", Page("Config")).filters(&["name"]),
    post("", "Makes a config, once its database has been reached.", One("Config"))
        .takes("ConfigNew"),
    get("/{id}", "A config.", One("Config")),
    put("/{id}", "Replaces a config.", One("Config")).takes("ConfigNew"),
    patch("/{id}", "Changes a config; what is left out stays.", One("Config")).takes("ConfigAsked"),
    delete("/{id}", "Deletes a config, and what its clients log in with.", Nothing),
    post("/{id}/restart", "Has all connections to the database opened anew.", One("Config")),
    post("/{id}/purge", "Has the proxies forget what they keep of its answers.", One("Purged"))
        .takes("Purge"),
    post("/{id}/check", "Walks the way to the database, and shows each step.", One("Check")),
];

const ACTIVITY: &[Operation] = &[
    get(
        "/history",
        "What clients of all configs did, and of each in the last hour.",
        One("History"),
    )
    .filters(&["period"]),
    get("/activity", "What goes on at the proxies now.", One("Activity"))
        .filters(&["statements", "sessions"]),
    get("/configs/{id}/history", "What clients of a config did.", One("History"))
        .filters(&["period"]),
    get("/configs/{id}/activity", "What goes on now in a config.", One("Activity"))
        .filters(&["statements", "sessions"]),
];

const CREDENTIALS: &[Operation] = &[
    get("", "What clients of a config log in with.", Page("Credential")),
    post("", "Makes a user, and tells its password once.", One("CredentialTold"))
        .takes("NewCredential"),
    delete("/{user}", "Deletes a user.", Nothing),
    post(
        "/{user}/rotate",
        "Gives a user another password, and tells it once.",
        One("CredentialTold"),
    )
    .takes("Rotation"),
];

const CERTIFICATES: &[Operation] = &[
    get("", "The certificates, without their keys.", Page("Certificate")).filters(&["name", "ca"]),
    post("", "Uploads a CA's certificate, or one with its key.", One("Certificate"))
        .takes("NewCertificate"),
    get("/{id}", "A certificate, without its key.", One("Certificate")),
    delete("/{id}", "Deletes a certificate.", One("Certificate")),
];

const SERVICE_TOKENS: &[Operation] = &[
    get("", "The service tokens, without their secrets.", Page("ServiceToken"))
        .filters(&["name", "search"]),
    post("", "Makes a service token, and tells its secret once.", One("ServiceTokenTold"))
        .takes("ServiceTokenNew"),
    get("/{id}", "A service token, without its secret.", One("ServiceToken")),
    put("/{id}", "Changes a service token, and perhaps rotates it.", One("ServiceTokenTold"))
        .takes("ServiceTokenAsked"),
    delete("/{id}", "Deletes a service token.", One("ServiceToken")),
    post("/{id}/rotate", "Gives it another secret, and tells it once.", One("ServiceTokenTold"))
        .takes("ServiceTokenAsked"),
    post("/{id}/refresh", "Lets it be valid for its duration from now on.", One("ServiceToken")),
];

const POLICIES: &[Operation] = &[
    get("", "The policies that any application can name.", Page("Policy")).filters(&["name"]),
    post("", "Makes such a policy.", One("Policy")).takes("PolicyNew"),
    get("/{id}", "A policy.", One("Policy")),
    put("/{id}", "Replaces a policy.", One("Policy")).takes("PolicyNew"),
    delete("/{id}", "Deletes a policy that no application names.", One("Removed")),
];

const APPLICATIONS: &[Operation] = &[
    get("", "The applications.", Page("Application")).filters(&["name", "aud", "domain"]),
    post("", "Guards a place.", One("Application")).takes("ApplicationAsked"),
    get("/{id}", "An application.", One("Application")),
    put("/{id}", "Replaces an application.", One("Application")).takes("ApplicationAsked"),
    delete("/{id}", "Deletes it. Its place lets nobody pass then.", One("Removed")),
    post("/{id}/revoke_tokens", "Does nothing: there are no sessions.", One("Empty")),
    get("/{id}/policies", "Its policies, in their order.", Page("PolicyLinked")),
    post("/{id}/policies", "Makes a policy that is its alone.", One("PolicyLinked"))
        .takes("PolicyNew"),
    get("/{id}/policies/{policy}", "One of its policies.", One("PolicyLinked")),
    put("/{id}/policies/{policy}", "Changes or moves one.", One("PolicyLinked"))
        .takes("PolicyAsked"),
    delete("/{id}/policies/{policy}", "Takes a policy from it.", One("Removed")),
    put(
        "/{id}/policies/{policy}/make_reusable",
        "Lets others name a policy that was its alone.",
        One("PolicyLinked"),
    ),
];

const TUNNELS: &[Operation] = &[
    get("", "The tunnels.", Page("Tunnel")).filters(TUNNEL_FILTERS),
    post("", "Makes a tunnel, and tells its token.", One("TunnelTold"))
        .takes("TunnelNew")
        .conflicts(),
    get("/{id}", "A tunnel.", One("Tunnel")),
    patch("/{id}", "Changes a tunnel.", One("Tunnel")).takes("TunnelAsked").conflicts(),
    delete("/{id}", "Deletes a tunnel, and what leads to it.", One("Tunnel")).filters(&["cascade"]),
    get("/{id}/token", "Its token, for a connector.", One("Text")).of_edit(),
    get("/{id}/configurations", "Its rules.", One("Configuration")),
    put("/{id}/configurations", "Gives it rules, which the edge tells.", One("Configuration"))
        .takes("ConfigurationAsked"),
    get("/{id}/connections", "Its connectors.", All("Connector")),
    delete("/{id}/connections", "Ends their connections, or one's.", Nothing)
        .filters(&["client_id"]),
    get("/{id}/connectors/{connector}", "A connector.", One("Connector")),
    post("/{id}/management", "Is refused: connectors cannot be followed.", Never),
    post("/{id}/management/{resource}", "Is refused, too.", Never),
];

const HOSTNAMES: &[Operation] = &[
    get("/accounts/{account}/tunnels", "The tunnels of every kind.", Page("Tunnel"))
        .filters(TUNNEL_FILTERS),
    put("/zones/{zone}/tunnels/{id}/routes", "Leads a hostname to a tunnel.", One("Routed"))
        .takes("Route"),
    get("/accounts/{account}/hostnames", "Where hostnames lead.", Page("Hostname"))
        .filters(&["tunnel"]),
    get("/accounts/{account}/hostnames/{name}", "Where a hostname leads.", One("Hostname")),
    put("/accounts/{account}/hostnames/{name}", "Leads it to a tunnel.", One("Hostname"))
        .takes("HostnameAsked"),
    delete("/accounts/{account}/hostnames/{name}", "Has it lead nowhere.", One("Hostname")),
];

const TUNNEL_FILTERS: &[&str] = &[
    "name",
    "uuid",
    "include_prefix",
    "name_prefix",
    "exclude_prefix",
    "status",
    "is_deleted",
    "existed_at",
    "was_active_at",
    "was_inactive_at",
];
