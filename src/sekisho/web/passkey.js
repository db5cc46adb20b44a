// Lets the browser make or use a passkey, and fills what it says into the form that asked for it. Nothing is kept here.

async function asked(form) {
  const fields = new URLSearchParams(new FormData(form));
  const answer = await fetch("/bank/passkey-options", { method: "POST", body: fields });
  return answer.ok ? answer.json() : null;
}

const ceremonies = {
  make: options => navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options) }),
  use: options => navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options) }),
};

function fill(form, credential) {
  const { id, response } = credential.toJSON();
  for (const [name, value] of Object.entries({ id, ...response })) {
    const field = form.elements.namedItem(`proof.${name}`);
    if (field && typeof value === "string") field.value = value;
  }
}

async function enter(form) {
  const told = form.querySelector("[role=status]");
  const button = form.querySelector("button");
  told.textContent = "";
  button.disabled = true;
  try {
    const found = await asked(form);
    if (found && found.refused) return location.reload();
    if (!found) throw new Error("nothing was asked for");
    fill(form, await ceremonies[form.dataset.passkey](found.options));
    form.submit();
  } catch {
    // Cancelled, timed out, or no passkey for this bank on the device: the browser does not tell which.
    told.textContent = form.dataset.failed;
    button.disabled = false;
  }
}

for (const form of document.querySelectorAll("form[data-passkey]")) {
  form.addEventListener("submit", event => {
    event.preventDefault();
    enter(form);
  });
}
