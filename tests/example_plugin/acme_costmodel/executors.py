"""An executor of threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from costmodel.plugins.executors import ExecutorFactory

THREADS = ExecutorFactory("acme-threads", lambda count: ThreadPoolExecutor(int(count or 1)))
"""As many threads as the text behind the name says, or one."""
