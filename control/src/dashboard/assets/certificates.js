// Certificates: of CAs that databases' are from, and those that proxies show.

import { all, ask, path, session } from "./api.js";
import { el } from "./dom.js";
import { endsWithin } from "./format.js";
import { button, card, code, confirm, dialog, field, form, moment, page, pill, select, table, text, toast } from "./parts.js";

const LIST = () => path("mtls_certificates");

export async function show({ signal, again }) {
  const certificates = await all(LIST(), signal);
  return page("Certificates", {
    intro: "Of CAs that databases' certificates are from, and those that proxies show to databases that ask for one.",
    actions: [session.mayEdit() && button("Upload certificate", () => upload(again), { kind: "primary" })],
  }, card("All certificates", {}, table("Certificates", [
    ["Name", (it) => [it.name, el("span", { class: "sub" }, code(it.id))]],
    ["Kind", (it) => it.ca ? "CA" : "client, with its key"],
    ["Issuer", (it) => it.issuer],
    ["Ends", (it) => [moment(it.expires_on), endsWithin(it.expires_on, 30) && [" ", pill(endsWithin(it.expires_on, 0) ? "expired" : "ends soon", "warn")]]],
    ["Uploaded", (it) => moment(it.uploaded_on)],
    ["", (it) => session.mayEdit() && button("Delete", () => remove(it, again), { kind: "small danger", label: `Delete ${it.name}` })],
  ], certificates, "There are none. They are needed only to verify a database's certificate, or to show one to it.")));
}

async function upload(again) {
  const kind = select("kind", [["ca", "of a CA"], ["client", "of a client, with its key"]], "ca");
  const key = field("Private key, PEM", el("textarea", { name: "private_key", spellcheck: "false", placeholder: "-----BEGIN PRIVATE KEY-----" }),
    "Sealed in the store, and never shown again.");
  key.hidden = true;
  kind.addEventListener("change", () => { key.hidden = kind.value === "ca"; });
  const done = await dialog("Upload certificate", (close) => form({
    submit: "Upload",
    cancel: button("Cancel", () => close(null)),
    async send(values) {
      const ca = values.kind === "ca";
      const body = { name: values.name, certificates: values.certificates, ca, ...(!ca && { private_key: values.private_key }) };
      close(await ask("POST", LIST(), body));
    },
  },
    field("Name", text("name", { required: true, maxlength: 120 })),
    field("Kind", kind),
    field("Certificate, PEM", el("textarea", { name: "certificates", required: true, spellcheck: "false", placeholder: "-----BEGIN CERTIFICATE-----" }), "The first is the certificate itself; those of its chain follow."),
    key));
  if (done) {
    toast(`Uploaded ${done.name}.`);
    again();
  }
}

async function remove(certificate, again) {
  const done = await confirm(`Delete ${certificate.name}?`, "A certificate that a configuration needs cannot be deleted.", "Delete", {
    async send() {
      await ask("DELETE", path("mtls_certificates", certificate.id));
      return true;
    },
  });
  if (done) again();
}
