// npm jose verifies the signed decision over a file against the served key set.
// Input is one JSON object on standard input; success prints "ok".
import {createLocalJWKSet, jwtVerify, compactVerify, decodeProtectedHeader} from 'jose';
import assert from 'node:assert/strict';

let text = '';
for await (const part of process.stdin) text += part;
const input = JSON.parse(text);

const options = {algorithms: ['ES256'], typ: input.typ, issuer: input.claims.iss};
const keys = createLocalJWKSet(input.keys);
const {payload} = await jwtVerify(input.decision, keys, options);
assert.deepEqual(payload, input.claims);
assert.deepEqual(decodeProtectedHeader(input.decision), {alg: 'ES256', kid: input.kid, typ: input.typ});

const altered = input.decision.replace(/\.(.)/, (_, c) => '.' + (c === 'f' ? 'e' : 'f'));
await assert.rejects(compactVerify(altered, keys, options));
await assert.rejects(jwtVerify(input.decision, createLocalJWKSet(input.otherKeys), options));
await assert.rejects(jwtVerify(input.decision, keys, {...options, typ: 'vc+jwt'}));
console.log('ok');
