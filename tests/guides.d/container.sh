# shellcheck shell=bash
# shellcheck disable=SC2016  # commands are typed by `run`, not expanded here
# The login is accepted, and there is no container.

walk_container() {
    leave gwen
    engine_down
    image
    disk
    limits
}

engine_down() {
    section 'container: engine down'
    do_ 'systemctl stop docker.socket docker.service'
    fails 255 'ssh gwen@bench true' '^podspawn: the container engine does not answer; try again in a moment'
    seen 'sudo systemctl status docker' 'inactive|failed'
    seen 'podspawn status' '^Containers +unknown'
    seen 'journalctl -u podspawn-broker -n 50 --no-pager' 'the engine does not answer'
    diagnosed engine fail 'systemctl start docker'
    ok 'sudo systemctl start docker'
    ok 'ls -la /var/run/docker.sock' '^srw-rw---- .* root docker'
    healed 'ssh gwen@bench echo in' '^in$'
    leave gwen
}

image() {
    section 'container: image'
    do_ "$PUBLISH"
    echo 'image: "127.0.0.1:5001/guides:2"' | put /etc/podspawn/users/gwen.yaml 0644
    fails 255 'ssh gwen@bench true' \
        '^podspawn: image 127.0.0.1:5001/guides:2 is not on this server and cannot be pulled: .*(manifest|not found)'
    seen 'journalctl PODSPAWN_EVENT=container_create_failed PODSPAWN_USER=gwen -n 1 --no-pager' '127.0.0.1:5001/guides:2'
    fails 1 'docker images | grep guides'
    ok 'docker images | grep workload' '^podspawn-workload '
    ok 'docker pull 127.0.0.1:5001/guides:1'
    do_ 'docker rmi 127.0.0.1:5001/guides:1'
    echo 'guides: { repo: /r, users: [gwen], image: "127.0.0.1:5001/guides:1" }' | put /etc/podspawn/projects.yaml 0644
    do_ 'rm /etc/podspawn/users/gwen.yaml'
    instead 'podspawn update-project guides' 'pulled at the first login' \
        'ssh -o SetEnv=PODSPAWN_PROJECT=guides gwen@bench echo built' 'built'
    ok 'docker images | grep guides' '^127.0.0.1:5001/guides '
    leave gwen
    await '! docker ps --all | grep 127.0.0.1:5001/guides'
    do_ 'docker rmi 127.0.0.1:5001/guides:1; systemctl stop guides-registry'
    fails 255 'ssh -o SetEnv=PODSPAWN_PROJECT=guides gwen@bench true' 'image 127.0.0.1:5001/guides:1 is not on this server and cannot be pulled: .*refused'
    fails 255 'ssh -o SetEnv=PODSPAWN_PROJECT=nothing gwen@bench true' '^podspawn: no project "nothing"; you may use: guides'
}

# A registry with one image, which the engine has forgotten.
PUBLISH='
systemctl reset-failed guides-registry 2>/dev/null
printf "%s\n" "version: 0.1" "http: {addr: 127.0.0.1:5001}" \
    "storage: {filesystem: {rootdirectory: $place/registry}}" >$place/registry.yml
systemd-run --quiet --unit guides-registry docker-registry serve $place/registry.yml
for n in $(seq 50); do curl -fs http://127.0.0.1:5001/v2/ && break; sleep 0.2; done
docker tag podspawn-alpine-like 127.0.0.1:5001/guides:1 && docker push -q 127.0.0.1:5001/guides:1 &&
    docker rmi 127.0.0.1:5001/guides:1'

disk() {
    section 'container: disk full'
    ok 'df -h /var/lib/docker' '%'
    # The state's disk, which no other program uses.
    do_ 'systemctl stop podspawn-broker.socket podspawn-broker && cp -a /var/lib/podspawn $place/state &&
        mount -t tmpfs -o size=$(($(du -sm $place/state | cut -f1) + 8))m,mode=0700,uid=$(id -u podspawn),gid=$(id -g podspawn) none /var/lib/podspawn &&
        cp -a $place/state/. /var/lib/podspawn/ && systemctl start podspawn-broker.socket'
    run 'dd if=/dev/zero of=/var/lib/podspawn/fill bs=4k'
    fails 255 'ssh gwen@bench true' "^podspawn: the server's disk is full; ask the administrator to free some"
    diagnosed disk fail /var/lib/podspawn
    do_ 'rm /var/lib/podspawn/fill'
    healed 'ssh gwen@bench echo in' '^in$'
    leave gwen
    do_ 'systemctl stop podspawn-broker.socket podspawn-broker && umount /var/lib/podspawn && rm -rf $place/state && systemctl start podspawn-broker.socket'
    hold gwen
    ok 'docker system prune -f' 'Total reclaimed space'
    ok 'docker system prune -a -f --filter label!=podspawn.bench.recipe' 'Total reclaimed space'
    answers pruned
    release
}

limits() {
    section 'container: limits'
    printf '%s: { repo: /r, users: [gwen], image: "podspawn-alpine-like:latest" }\n' one two three |
        put /etc/podspawn/projects.yaml 0644
    do_ 'ssh -o SetEnv=PODSPAWN_PROJECT=one gwen@bench true && ssh -o SetEnv=PODSPAWN_PROJECT=two gwen@bench true'
    ok 'docker ps --filter label=managed-by=podspawn | wc -l' '^[4-9]'
    ok 'sudo podspawn list' '^gwen +- ' '^gwen +one ' '^gwen +two '
    fails 255 'ssh -o SetEnv=PODSPAWN_PROJECT=three gwen@bench true' \
        '^podspawn: gwen has 3 of at most 3 sessions; free one with: ssh gwen@HOST podspawn stop'
    seen 'journalctl PODSPAWN_EVENT=policy_deny PODSPAWN_USER=gwen -n 1 --no-pager' '3 of at most 3 sessions'
    ok 'sudo podspawn stop gwen@two'
    healed 'ssh -o SetEnv=PODSPAWN_PROJECT=three gwen@bench echo in' '^in$'
    leave gwen
    await '[ "$(podspawn status --json | jq .sessions)" = 0 ]'
    configure 'resources: { max_containers: 1 }'
    do_ 'ssh gwen@bench true'
    fails 255 'ssh -o SetEnv=PODSPAWN_PROJECT=one gwen@bench true' \
        '^podspawn: this host is at its limit of 1 containers; try again later, or ask an administrator to raise resources.max_containers'
    configure
    healed 'ssh -o SetEnv=PODSPAWN_PROJECT=one gwen@bench echo in' '^in$'
    do_ 'podspawn stop gwen@one'
}
