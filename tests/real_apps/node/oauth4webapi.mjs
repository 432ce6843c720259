// oauth4webapi, which judges each answer by itself: discovery, a log-in, and all that may be done with its tokens.
import * as oauth from 'oauth4webapi'
import { ask, errorOf, given, tell } from './talk.mjs'

const loose = { [oauth.allowInsecureRequests]: true }
const issuer = new URL(given.issuer)
const server = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, loose))
const metadata = await oauth.processDiscoveryResponse(
  issuer, await oauth.discoveryRequest(issuer, { ...loose, algorithm: 'oauth2' }))
const app = { client_id: given.client_id }
const privateKey = given.jwk && (await crypto.subtle.importKey(
  'jwk', given.jwk, { name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign']))
const proof = {
  none: () => oauth.None(),
  client_secret_basic: () => oauth.ClientSecretBasic(given.secret),
  client_secret_post: () => oauth.ClientSecretPost(given.secret),
  private_key_jwt: () => oauth.PrivateKeyJwt({ key: privateKey, kid: given.jwk.kid }),
}[given.method]()
const dpop = given.dpop && oauth.DPoP(app, await oauth.generateKeyPair('ES256'))
const more = dpop ? { ...loose, DPoP: dpop } : loose

const verifier = oauth.generateRandomCodeVerifier(), nonce = oauth.generateRandomNonce()
const state = oauth.generateRandomState()
const asked = new URLSearchParams({
  client_id: app.client_id, redirect_uri: given.redirect_uri, response_type: 'code', scope: given.scope, state, nonce,
  code_challenge: await oauth.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256',
})
let address = new URL(server.authorization_endpoint)
if (given.par) {
  const pushed = await oauth.processPushedAuthorizationResponse(
    server, app, await oauth.pushedAuthorizationRequest(server, app, proof, asked, more))
  address.search = new URLSearchParams({ client_id: app.client_id, request_uri: pushed.request_uri }).toString()
} else {
  address.search = asked.toString()
}
const answer = oauth.validateAuthResponse(server, app, new URL(await ask('open', { url: address.href })), state)
const response = await oauth.authorizationCodeGrantRequest(
  server, app, proof, answer, given.redirect_uri, verifier, more)
const tokens = await oauth.processAuthorizationCodeResponse(
  server, app, response, { expectedNonce: nonce, requireIdToken: true })
await oauth.validateApplicationLevelSignature(server, response, loose)
const claims = oauth.getValidatedIdTokenClaims(tokens)
const userinfo = await oauth.processUserInfoResponse(
  server, app, claims.sub, await oauth.userInfoRequest(server, app, tokens.access_token, more))
const refresh = async token => oauth.processRefreshTokenResponse(
  server, app, await oauth.refreshTokenGrantRequest(server, app, proof, token, more))
const fresh = await refresh(tokens.refresh_token)
const isProved = given.method !== 'none'
const introspect = async token => isProved ? oauth.processIntrospectionResponse(
  server, app, await oauth.introspectionRequest(server, app, proof, token, loose)) : {}
const known = isProved ? await introspect(fresh.access_token) : { active: true }
const leave = new URL(server.end_session_endpoint)
leave.search = new URLSearchParams({
  client_id: app.client_id, id_token_hint: fresh.id_token, state: 'bye',
  post_logout_redirect_uri: given.post_logout_redirect_uri,
}).toString()
const back = await ask('log out', { url: leave.href })
const afterLogOut = await errorOf(refresh(fresh.refresh_token))
await oauth.processRevocationResponse(
  await oauth.revocationRequest(server, app, proof, fresh.refresh_token, loose))
const ended = isProved ? await introspect(fresh.access_token) : { active: false }
tell({ claims, userinfo, known, back, afterLogOut, ended, tokenType: tokens.token_type,
  rotated: fresh.refresh_token !== tokens.refresh_token, sameIssuer: metadata.issuer === server.issuer })
