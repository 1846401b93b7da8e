import { Hono } from 'hono';
import { readChartFile } from '../charts/charts.ts';

/**
 * Chart archives that the operator has put on this server, for whoever can reach it: as in k3s, nothing here is secret. There is no
 * list of them.
 *
 *     /static/charts/<name>.tgz  /static/charts/<name>.tgz.prov  /static/charts/index.yaml
 */
export function staticRoutes(staticDir: string): Hono {
  const app = new Hono();
  app.get('/static/charts/:name', async (context) => {
    const file = await readChartFile(staticDir, context.req.param('name'));
    if (file === undefined) return context.notFound();
    return context.body(new Uint8Array(file.content), 200, {
      'content-type': context.req.param('name').endsWith('.tgz') ? 'application/gzip' : 'text/plain',
      etag: `"${file.sha256}"`,
      'x-content-type-options': 'nosniff',
    });
  });
  return app;
}
