import { escapeHtml, renderPage } from './page.ts'

/** What the reference shows and does, beyond what the document says (the configuration of Scalar). */
const CONFIGURATION = {
  url: 'api/v1/openapi.json',
  // Nothing of this page is asked of another host.
  withDefaultFonts: false,
  telemetry: false,
  proxyUrl: '',
  agent: { disabled: true },
  mcp: { disabled: true },
  hideClientButton: true,
  showDeveloperTools: 'never',
  documentDownloadType: 'none',
  modelsSectionLabel: 'Schemas',
  // Fields stand in the order in which they are sent.
  orderSchemaPropertiesBy: 'preserve',
  orderRequiredPropertiesFirst: false,
  authentication: { preferredSecurityScheme: 'ApiKey' },
  defaultHttpClient: { targetKey: 'shell', clientKey: 'curl' },
  featuredClients: ['shell/curl', 'node/fetch', 'python/requests', 'php/curl'],
}

const STYLE = `
/* The bar says on one line which operation is in view; the longest name is wider than a phone. */
.t-doc__header .whitespace-nowrap { min-width: 0; overflow: hidden; text-overflow: ellipsis }
:root { --scalar-custom-header-height: var(--bar) }
body:has([role='dialog']) .bar { visibility: hidden }`

/**
 * The page of the reference: a bar that leads to the guide, and the script that makes the rest, at `script`. What is
 * tried is tried where the page is, not at the address that the document names.
 */
export const renderReferencePage = (options: { title: string; script: string; nonce: string }): string => {
  const { title, script, nonce } = options
  const start = `
const gateway = new URL('.', location.href).href.replace(/\\/$/, '')
const configuration = ${JSON.stringify(CONFIGURATION)}
Scalar.createApiReference('#reference', { ...configuration, servers: [{ url: gateway }] })
`
  return renderPage({
    title,
    current: 'docs',
    up: '',
    style: STYLE,
    body: `<main id="reference"></main>
<noscript><p>The reference needs JavaScript; the guide and openapi.json do not.</p></noscript>
<script nonce="${nonce}" src="${escapeHtml(script)}"></script>
<script nonce="${nonce}">${start}</script>`,
  })
}
