// openid-client as an app uses it: discovery, a log-in, and all that may be done with its tokens.
import * as client from 'openid-client'
import { ask, errorOf, given, tell } from './talk.mjs'

const privateKey = given.jwk && (await crypto.subtle.importKey(
  'jwk', given.jwk, { name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign']))
const proofs = {
  none: () => client.None(),
  client_secret_basic: () => client.ClientSecretBasic(given.secret),
  client_secret_post: () => client.ClientSecretPost(given.secret),
  private_key_jwt: () => client.PrivateKeyJwt({ key: privateKey, kid: given.jwk.kid }),
}
const config = await client.discovery(new URL(given.issuer), given.client_id, undefined, proofs[given.method](), {
  execute: [client.allowInsecureRequests, client.enableNonRepudiationChecks],
})
const dpop = given.dpop && client.getDPoPHandle(config, await client.randomDPoPKeyPair('ES256'))
const more = dpop ? { DPoP: dpop } : {}

let tokens
if (given.device) {
  const begun = await client.initiateDeviceAuthorization(config, { scope: given.scope })
  await ask('device', begun)
  tokens = await client.pollDeviceAuthorizationGrant(config, { ...begun, interval: 1 }, undefined, more)
} else {
  const verifier = client.randomPKCECodeVerifier(), nonce = client.randomNonce(), state = client.randomState()
  const asked = {
    redirect_uri: given.redirect_uri, scope: given.scope, state, nonce,
    code_challenge: await client.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256',
  }
  const address = given.par
    ? await client.buildAuthorizationUrlWithPAR(config, asked, more)
    : client.buildAuthorizationUrl(config, asked)
  const answer = await ask('open', { url: address.href })
  const checks = { pkceCodeVerifier: verifier, expectedNonce: nonce, expectedState: state, idTokenExpected: true }
  tokens = await client.authorizationCodeGrant(config, new URL(answer), checks, undefined, more)
}
const claims = tokens.claims()
const userinfo = await client.fetchUserInfo(config, tokens.access_token, claims.sub, more)
const fresh = await client.refreshTokenGrant(config, tokens.refresh_token, undefined, more)
const isProved = given.method !== 'none'
const known = isProved ? await client.tokenIntrospection(config, fresh.access_token) : { active: true }
const url = client.buildEndSessionUrl(config, {
  id_token_hint: fresh.id_token, post_logout_redirect_uri: given.post_logout_redirect_uri, state: 'bye',
})
const back = await ask('log out', { url: url.href })
const afterLogOut = await errorOf(client.refreshTokenGrant(config, fresh.refresh_token, undefined, more))
await client.tokenRevocation(config, fresh.refresh_token)
const ended = isProved ? await client.tokenIntrospection(config, fresh.access_token) : { active: false }
tell({ claims, userinfo, known, back, afterLogOut, ended, tokenType: tokens.token_type,
  rotated: fresh.refresh_token !== tokens.refresh_token })
