// A program of its own, for a machine: prints the token that one of its identities is given for a scope, and until when
// it holds. The system's own identity answers where no client id is named.

"use strict";

const { ManagedIdentityCredential } = require("@azure/identity");

async function main(scope, clientId) {
  const credential = clientId ? new ManagedIdentityCredential({ clientId }) : new ManagedIdentityCredential();
  return credential.getToken(scope);
}

main(...process.argv.slice(2)).then((found) => console.log(JSON.stringify(found)));
