// The certified oidc-provider with two clients, whose answers the test compares with ours. Prints its port.
import Provider from 'oidc-provider'

const given = JSON.parse(process.argv[2])
const shared = {
  redirect_uris: [given.redirect_uri], post_logout_redirect_uris: [given.post_logout_redirect_uri],
  grant_types: ['authorization_code', 'refresh_token'], response_types: ['code'],
  scope: 'openid profile email phone offline_access', token_endpoint_auth_method: 'client_secret_basic',
}
const server = (await import('node:http')).createServer()
server.listen(0, '127.0.0.1', () => {
  const provider = new Provider(`http://127.0.0.1:${server.address().port}`, {
    clients: [
      { ...shared, client_id: 'wiki', client_secret: given.secret },
      { ...shared, client_id: 'other', client_secret: given.secret },
    ],
    claims: { openid: ['sub'], profile: ['name'], email: ['email'], phone: ['phone_number'] },
    features: {
      devInteractions: { enabled: true }, introspection: { enabled: true }, revocation: { enabled: true },
      claimsParameter: { enabled: true }, rpInitiatedLogout: { enabled: true }, userinfo: { enabled: true },
    },
    pkce: { required: () => true },
    scopes: ['openid', 'profile', 'email', 'phone', 'offline_access'],
    findAccount: (context, id) => ({ accountId: id, claims: () => ({ sub: id, name: 'Ada' }) }),
    issueRefreshToken: () => true,
    cookies: { keys: ['a key of a test'] },
    ttl: { AuthorizationCode: 60 },
  })
  server.on('request', provider.callback())
  console.log(server.address().port)
})
