// Signs and verifies with implementations that none of us wrote. Each line is a request in JSON, and is answered by a
// line with {"ok": …} or {"error": …}. The argument is a file of JSON-LD contexts by address. All else that is loaded
// is on this machine.
import {readFileSync} from 'node:fs';
import {createInterface} from 'node:readline';
import {DataIntegrityProof} from '@digitalbazaar/data-integrity';
import * as didKey from '@digitalbazaar/did-method-key';
import * as EcdsaMultikey from '@digitalbazaar/ecdsa-multikey';
import {cryptosuite as ecdsa} from '@digitalbazaar/ecdsa-rdfc-2019-cryptosuite';
import * as Ed25519Multikey from '@digitalbazaar/ed25519-multikey';
import {cryptosuite as eddsa} from '@digitalbazaar/eddsa-rdfc-2022-cryptosuite';
import * as vc from '@digitalbazaar/vc';
import * as statusList from '@digitalbazaar/vc-bitstring-status-list';
import * as jose from 'jose';
import jsonld from 'jsonld';

const contexts = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const keyPairs = {};
const driver = didKey.driver();
driver.use({multibaseMultikeyHeader: 'z6Mk', fromMultibase: Ed25519Multikey.from});
driver.use({multibaseMultikeyHeader: 'zDna', fromMultibase: EcdsaMultikey.from});
const verifying = [eddsa, ecdsa].map(cryptosuite => new DataIntegrityProof({cryptosuite}));

async function documentLoader(url) {
  return {documentUrl: url, contextUrl: null, document: contexts[url] ?? await resolve(url)};
}

async function resolve(url) {
  if(url.startsWith('did:key:')) {
    return driver.get({url});
  }
  if(new URL(url).hostname !== '127.0.0.1') {
    throw new Error(`${url} is not on this machine`);
  }
  const response = await fetch(url, {headers: {accept: 'application/vc, application/json'}});
  const document = await response.json();
  if(!response.ok) {
    throw new Error(`${url}: ${response.status}`);
  }
  // The fragment names a key in the document.
  const method = url.includes('#') && document.verificationMethod.find(({id}) => id === url);
  return method ? {'@context': 'https://w3id.org/security/multikey/v1', ...method} : document;
}

function signing({key, cryptosuite}) {
  return new DataIntegrityProof({
    signer: keyPairs[key].signer(), cryptosuite: cryptosuite === 'ecdsa-rdfc-2019' ? ecdsa : eddsa
  });
}

const operations = {
  canonise({document}) {
    return jsonld.canonize(document, {
      algorithm: 'RDFC-1.0', base: null, documentLoader, format: 'application/n-quads', safe: true,
      rdfDirection: 'i18n-datatype'  // as the cryptosuites have it
    });
  },
  async newKey({type}) {
    const keyPair = type === 'Ed25519' ? await Ed25519Multikey.generate() : await EcdsaMultikey.generate({curve: type});
    const {didDocument, methodFor} = await driver.fromKeyPair({verificationKeyPair: keyPair});
    Object.assign(keyPair, {id: methodFor({purpose: 'assertionMethod'}).id, controller: didDocument.id});
    keyPairs[didDocument.id] = keyPair;
    return didDocument.id;
  },
  issue({credential, ...signer}) {
    return vc.issue({credential, suite: signing(signer), documentLoader});
  },
  present({presentation, challenge, domain, ...signer}) {
    return vc.signPresentation({presentation, challenge, domain, suite: signing(signer), documentLoader});
  },
  async verify({credential}) {
    const checkStatus = options => statusList.checkStatus({...options, verifyStatusListCredential: true});
    const result = await vc.verifyCredential({credential, suite: verifying, documentLoader, checkStatus});
    const statuses = result.statusResult?.results?.map(({status}) => status);
    return {verified: result.verified, statuses, why: reasons(result.error)};
  },
  async verifyPresentation({presentation, challenge, domain}) {
    const result = await vc.verify({presentation, challenge, domain, suite: verifying, documentLoader});
    return {verified: result.verified, why: reasons(result.error)};
  },
  async signToken({algorithm, credential}) {
    const {publicKey, privateKey} = await jose.generateKeyPair(algorithm);
    const did = `did:jwk:${jose.base64url.encode(JSON.stringify(await jose.exportJWK(publicKey)))}`;
    return new jose.SignJWT({...credential, issuer: {...credential.issuer, id: did}, iss: did, jti: credential.id})
      .setSubject(credential.credentialSubject.id).setNotBefore(new Date(credential.validFrom))
      .setProtectedHeader({alg: algorithm, kid: `${did}#0`, typ: 'JWT'}).sign(privateKey);
  },
  async verifyToken({token, algorithm}) {
    const published = await resolve(jose.decodeProtectedHeader(token).kid);
    const toJwk = async () => Ed25519Multikey.toJwk({keyPair: await Ed25519Multikey.from(published)});
    const key = await jose.importJWK(published.kty ? published : await toJwk(), algorithm);
    return (await jose.jwtVerify(token, key, {algorithms: [algorithm]})).payload;
  }
};

function reasons(error) {
  return error && [error.message, ...[error.errors ?? error.cause ?? []].flat().map(reasons)].join(': ');
}

for await (const line of createInterface({input: process.stdin})) {
  const {operation, ...options} = JSON.parse(line);
  let answer;
  try {
    answer = {ok: await operations[operation](options)};
  } catch(error) {
    answer = {error: reasons(error)};
  }
  console.log(JSON.stringify(answer));
}
