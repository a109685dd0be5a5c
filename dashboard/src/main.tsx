import { render } from 'preact';
import './style/base.css';
import './style/calls.css';
import './style/call.css';
import './style/ledger.css';
import './style/pause.css';
import './style/explain.css';
import { Store } from './store.ts';
import { App } from './views/app.tsx';

const store = new Store(location.origin);
store.start();
const root = document.getElementById('app');
if (root !== null) render(<App store={store} />, root);
