import { create, type DescFile, type DescService, type MessageInitShape, toBinary } from '@bufbuild/protobuf'
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt'
import type { ServiceImpl } from '@connectrpc/connect'
import type { Server } from '@grpc/grpc-js'
import type { ReflectionV1Implementation } from '@grpc/reflection/build/src/implementations/reflection-v1.js'
import {
  type ServerReflection,
  type ServerReflectionRequest,
  ServerReflectionResponseSchema,
} from '../../gen/grpc/reflection/v1/reflection_pb.js'

/** The contract as the servers themselves describe it, by `grpc.reflection.v1`: for `buf curl`, `grpcurl` and their like. */
export type Reflection = {
  /** Puts the service on a server of native gRPC. */
  addToGrpc(server: Pick<Server, 'addService'>): void
  /** The service for Connect's router. */
  readonly service: ServiceImpl<typeof ServerReflection>
}

/** Describes `services` and everything that their files mention. */
export const createReflection = async (services: readonly DescService[]): Promise<Reflection> => {
  // Takes 50 ms of CPU to load, and most processes describe nothing.
  const { ReflectionV1Implementation } = await import(
    '@grpc/reflection/build/src/implementations/reflection-v1.js'
  )
  const files = new Map<string, DescFile>()
  const add = (file: DescFile): void => {
    files.set(file.proto.name, file)
    for (const other of file.dependencies) add(other)
  }
  for (const { file } of services) add(file)
  const described = new ReflectionV1Implementation(
    Object.fromEntries([...files].map(([name, file]) => [name, toDefinition(file)])),
    { services: services.map(({ typeName }) => typeName) },
  )
  return {
    addToGrpc: (server) => described.addToServer(server),
    service: {
      async *serverReflectionInfo(requests) {
        for await (const request of requests) yield answer(described, request)
      },
    },
  }
}

/** A file as the package that reflects takes it, which reads nothing but the descriptors. */
const toDefinition = ({ proto }: DescFile) => ({
  format: 'Protocol Buffer 3 EnumDescriptorProto' as const,
  type: {},
  fileDescriptorProtos: [Buffer.from(toBinary(FileDescriptorProtoSchema, proto))],
})

type Response = MessageInitShape<typeof ServerReflectionResponseSchema>

/** Answers one question; between the package's objects and the messages of Connect only the oneofs differ. */
const answer = (described: ReflectionV1Implementation, request: ServerReflectionRequest): Response => {
  const { case: asked, value } = request.messageRequest
  const given = described.handleServerReflectionRequest({
    host: request.host,
    ...(asked !== undefined && { messageRequest: asked, [asked]: value }),
  })
  return create(ServerReflectionResponseSchema, {
    validHost: request.host,
    originalRequest: request,
    messageResponse: toOneof(given),
  })
}

const toOneof = (
  given: ReturnType<ReflectionV1Implementation['handleServerReflectionRequest']>,
): NonNullable<Response['messageResponse']> => {
  const {
    fileDescriptorResponse: files,
    listServicesResponse: list,
    allExtensionNumbersResponse: numbers,
  } = given
  if (files) {
    const fileDescriptorProto = (files.fileDescriptorProto ?? []).map((bytes) =>
      Uint8Array.from(Buffer.from(bytes)),
    )
    return { case: 'fileDescriptorResponse', value: { fileDescriptorProto } }
  }
  if (list) {
    return {
      case: 'listServicesResponse',
      value: { service: (list.service ?? []).map(({ name = '' }) => ({ name })) },
    }
  }
  if (numbers) {
    const { baseTypeName = '', extensionNumber = [] } = numbers
    return { case: 'allExtensionNumbersResponse', value: { baseTypeName, extensionNumber } }
  }
  const { errorCode = 0, errorMessage = '' } = given.errorResponse ?? {}
  return { case: 'errorResponse', value: { errorCode, errorMessage } }
}
