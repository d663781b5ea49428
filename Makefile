# `make demo` and `make test` are all a newcomer needs; `make help` lists the rest.
NODE := node_modules/.bin/node
CACHE := $(or $(POSTFLEET_CACHE),$(HOME)/.cache/postfleet)
export POSTFLEET_CACHE := $(CACHE)
.DEFAULT_GOAL := help

.PHONY: help demo demo-down env test scenarios check lint types generate bench faults warmup-simulation tools image cluster-up cluster-down

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/; s/[$$]{2}/$$/' | expand -t 20

demo: tools ## a real cluster, a pool of three pods, 1,000 mails, a scale-down in the middle, and the table of what became of them
	@$(NODE) e2e/demo/main.ts

env: ## settings for your shell: eval "$$(make env)"
	@echo 'export KUBECONFIG='`$(NODE) e2e/cluster/main.ts kubeconfig`' PATH=$(CACHE)/bin:'"$$PATH"

demo-down: node_modules/.package-lock.json ## remove everything `make demo` made
	@$(NODE) e2e/demo/main.ts down

test: tools ## checks, unit, integration and e2e tests, and how many of each
	@$(NODE) e2e/run-tests.ts

scenarios: tools ## long end-to-end tests: limits, warm-up, nodes, upgrades, autoscaling, large queues, deletion; one of them: ONLY=scale (e2e/scenarios/README.md)
	@$(NODE) e2e/run-tests.ts scenarios

check: node_modules/.package-lock.json ## lint, types, generated files
	@$(NODE) e2e/run-tests.ts checks

lint: node_modules/.package-lock.json ## lint and format what can be fixed
	@node_modules/.bin/biome check --write .

generate: node_modules/.package-lock.json ## CRDs and docs/resources.md from resources/
	@$(NODE) resources/generate.ts

bench: node_modules/.package-lock.json ## the figures of docs/benchmarks.md, beside Postfix with opendkim
	@$(NODE) e2e/tools/main.ts bench
	@$(NODE) bench/main.ts

faults: tools ## faults of every kind under load, from a seed: SEED=1 MINUTES=20 (docs/faults.md)
	@$(NODE) e2e/faults/main.ts

warmup-simulation: node_modules/.package-lock.json ## docs/warmup.svg: 60 days of 40 addresses at 5 providers in virtual time, judged
	@$(NODE) e2e/simulation/warmup.ts

tools: node_modules/.package-lock.json ## what this machine lacks: Debian packages, Kubernetes, NATS, Helm (built once, cached outside the checkout)
	@$(NODE) e2e/tools/main.ts

image: tools ## the container image as an archive, without Docker
	@$(NODE) e2e/image/main.ts

cluster-up: tools ## the local cluster alone
	@$(NODE) e2e/cluster/main.ts up

cluster-down: node_modules/.package-lock.json ## remove the local cluster
	@$(NODE) e2e/cluster/main.ts down

node_modules/.package-lock.json: package.json package-lock.json
	@command -v npm > /dev/null || { echo 'npm is needed (any version from 10 on): it brings Node 26 and everything else'; exit 1; }
	# Not `npm ci`: it insists on the optional packages of every platform, which a mirror of the registry need not carry.
	npm install --no-save --no-audit --no-fund --loglevel=error
	@touch $@
