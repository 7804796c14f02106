import { EXAMPLE_NAMES } from './guide-page.ts'
import { API_TITLE } from './openapi.ts'

/** What a program that reads for a person is to read, in the form of llms.txt (https://llmstxt.org). */
export const renderLlmsText = (publicUrl: string): string => `# ${API_TITLE}

> Ask a payer in Kenya for an M-PESA payment with one POST; the outcome is POSTed to your callback_url, signed. Every
> payment has an idempotency key of yours: a request without an answer is repeated with the same key and the same body.

## Read this

- [Guide](${publicUrl}/docs/guide.md): how to ask, repeat safely, receive, verify, and what each error means
- [OpenAPI document](${publicUrl}/api/v1/openapi.json): every operation, field, bound, answer and example

## Verify signatures

${EXAMPLE_NAMES.map((name) => `- [${name}](${publicUrl}/docs/verify/${name}): a whole endpoint`).join('\n')}
`
