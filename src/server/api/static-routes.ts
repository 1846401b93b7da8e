import { Hono } from 'hono';
import { findChart } from '../charts/charts.ts';
import type { Bindings, SendFile } from './send-file.ts';

/**
 * Chart archives that the operator has put on this server, for whoever can reach it: as in k3s, nothing here is secret. There is no
 * list of them.
 *
 *     /static/charts/<name>.tgz  /static/charts/<name>.tgz.prov  /static/charts/index.yaml
 */
export function staticRoutes(staticDir: string, sendFile: SendFile): Hono<Bindings> {
  const app = new Hono<Bindings>();
  app.get('/static/charts/:name', async (context) => {
    const name = context.req.param('name');
    const file = await findChart(staticDir, name);
    const contentType = name.endsWith('.tgz') ? 'application/gzip' : 'text/plain';
    return await sendFile(context, file && { ...file, contentType });
  });
  return app;
}
