"""llama.cpp's server as a program, from the package that carries it as a library: the runner that Ollama starts.

Run by the Python of an environment with xllamacpp, under the name `llama-server`. It takes those of the program's flags
that Ollama sets and that change what is answered; the others (logs, pages, how the file is read) are of no account
here. Ollama also starts it to list devices; there are none.
"""

import argparse
import signal
import sys

import xllamacpp


def main() -> int:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--model")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int)
    parser.add_argument("-c", dest="context", type=int, default=2048)
    parser.add_argument("-np", dest="parallel", type=int, default=1)
    parser.add_argument("-b", dest="batch", type=int)
    parser.add_argument("-ub", dest="part", type=int)
    parser.add_argument("--embedding", action="store_true")
    parser.add_argument("--context-shift", action="store_true")
    parser.add_argument("--keep", type=int, default=0)
    parser.add_argument("--no-jinja", action="store_true")
    parser.add_argument("--chat-template", default="")
    told, _ = parser.parse_known_args()
    if told.model is None:
        return 0
    params = xllamacpp.CommonParams()
    params.model.path = told.model
    params.hostnames = [told.host]
    params.port = told.port
    params.n_ctx = told.context
    params.n_parallel = told.parallel
    params.n_batch = told.batch or params.n_batch
    params.n_ubatch = told.part or params.n_ubatch
    params.embedding = told.embedding
    params.ctx_shift = told.context_shift
    params.n_keep = told.keep
    params.use_jinja = not told.no_jinja
    params.chat_template = told.chat_template
    params.cpuparams.n_threads = 1
    params.cpuparams_batch.n_threads = 1
    params.ui = False
    server = xllamacpp.Server(params)
    sys.stdout.write(f"listening on {server.listening_address}\n")
    sys.stdout.flush()
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    return 0


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    sys.exit(main())
