import { randomBytes } from 'node:crypto'
import type { DescService } from '@bufbuild/protobuf'
import { type Client, type Code, ConnectError, createClient } from '@connectrpc/connect'
import { createServiceToken } from '../../src/core/partners/service-token.ts'
import type { Database } from '../../src/database/connect.ts'
import type { Scope } from '../../src/values/scope.ts'
import { testActor } from './actor.ts'
import type { Transports } from './transports.ts'

/** A client of a service over the protocol of this name: gRPC, Connect, gRPC-Web. */
export const clientOver = <Service extends DescService>(
  { over }: Pick<Transports, 'over'>,
  service: Service,
  protocol: string,
): Client<Service> => {
  const transport = over[protocol]
  if (!transport) throw new Error(`no protocol ${protocol}`)
  return createClient(service, transport)
}

/** The headers of a service with a new token that has these scopes. */
export const bearerOf = async (
  database: Database,
  ...scopes: readonly Scope[]
): Promise<{ authorization: string }> => {
  const { token } = await createServiceToken({
    actor: testActor,
    database,
    name: 'desk',
    scopes,
    randomBytes,
  })
  return { authorization: `Bearer ${token}` }
}

/** What a call is refused with; throws when it is not. */
export const refusalOf = async (call: Promise<unknown>): Promise<ConnectError> => {
  const error = await call.then(
    () => null,
    (reason: unknown) => ConnectError.from(reason),
  )
  if (error === null) throw new Error('the call was not refused')
  return error
}

/** The code and the message that a call is refused with; throws when it is not. */
export const refusedWith = async (call: Promise<unknown>): Promise<[Code, string]> => {
  const { code, rawMessage } = await refusalOf(call)
  return [code, rawMessage]
}
