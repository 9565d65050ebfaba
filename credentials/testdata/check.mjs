// Checks with parts that are not ours: npm jose verifies the QR token and the
// status list against the served key sets, and @digitalbazaar's decoder reads
// the list. Input is one JSON object on standard input; success prints "ok".
import {createLocalJWKSet, compactVerify, decodeProtectedHeader} from 'jose';
import {decodeList} from '@digitalbazaar/vc-bitstring-status-list';
import assert from 'node:assert/strict';

let text = '';
for await (const part of process.stdin) text += part;
const input = JSON.parse(text);

const options = {algorithms: ['ES256']};
const qr = createLocalJWKSet(input.qrKeys);
const token = await compactVerify(input.token, qr, options);
assert.deepEqual(JSON.parse(new TextDecoder().decode(token.payload)), input.claims);
assert.deepEqual(decodeProtectedHeader(input.token), {alg: 'ES256', kid: input.kid});

const altered = input.token.replace(/\.(.)/, (_, c) => '.' + (c === 'f' ? 'e' : 'f'));
await assert.rejects(compactVerify(altered, qr, options));
await assert.rejects(compactVerify(input.token, createLocalJWKSet(input.otherKeys), options));

const list = await compactVerify(input.statusList, createLocalJWKSet(input.statusKeys), options);
const vc = JSON.parse(new TextDecoder().decode(list.payload));
assert.equal(list.protectedHeader.typ, 'vc+jwt');
assert.equal(vc.iss, vc.issuer);
const bits = await decodeList({encodedList: vc.credentialSubject.encodedList});
assert.equal(bits.length, 131072);
let set = [];
for (let i = 0; i < bits.length; i++) if (bits.getStatus(i)) set.push(i);
assert.deepEqual(set, input.set);
console.log('ok');
