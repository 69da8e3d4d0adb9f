// Draws the scene of the page with three.js, which the page carries as text: a file:// page may load no module.
(async () => {
  "use strict";
  const view = document.getElementById("view");
  const scene = JSON.parse(document.getElementById("scene").textContent);
  const canvas = view.querySelector("canvas");
  const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer;
  let THREE, renderer;
  try {
    const text = document.getElementById("three").textContent;
    const url = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
    THREE = await import(url);
    URL.revokeObjectURL(url);
    if (!(canvas.getContext("webgl2", { antialias: true, alpha: true, preserveDrawingBuffer: true }))) throw new Error("no WebGL");
    view.hidden = false;
    renderer = new THREE.WebGLRenderer({ canvas, antialias: true, alpha: true, preserveDrawingBuffer: true,
      context: canvas.getContext("webgl2") });
  } catch (error) {
    view.hidden = true;
    document.getElementById("noview").hidden = false;
    return;
  }
  const world = new THREE.Scene();
  const camera = new THREE.PerspectiveCamera(28, 1, 1, 5000);
  const centre = new THREE.Vector3(...scene.centre);
  const lamp = new THREE.DirectionalLight(0xffffff, 2.2);
  world.add(new THREE.AmbientLight(0xffffff, 1.1), lamp, lamp.target);
  lamp.target.position.copy(centre);

  const geometry = (layer) => {
    const made = new THREE.BufferGeometry();
    made.setAttribute("position", new THREE.BufferAttribute(new Float32Array(bytes(layer.points)), 3));
    made.setIndex(new THREE.BufferAttribute(new Uint32Array(bytes(layer.faces)), 1));
    made.computeVertexNormals();
    return made;
  };
  // Glass: clear where it faces the viewer, dense where it turns away, so that edges stay visible.
  const glass = (colour, least, most) => new THREE.ShaderMaterial({
    uniforms: { colour: { value: new THREE.Color(colour) }, least: { value: least }, most: { value: most } },
    vertexShader: `varying vec3 n; varying vec3 p;
      void main() { vec4 at = modelViewMatrix * vec4(position, 1.0); n = normalMatrix * normal; p = at.xyz;
        gl_Position = projectionMatrix * at; }`,
    fragmentShader: `uniform vec3 colour; uniform float least; uniform float most; varying vec3 n; varying vec3 p;
      void main() { float facing = abs(dot(normalize(n), normalize(p)));
        gl_FragColor = vec4(colour * (0.55 + 0.45 * facing), mix(most, least, pow(facing, 0.8)));
        #include <colorspace_fragment>
      }`,
    transparent: true, depthWrite: false, side: THREE.DoubleSide,
  });
  const materials = {
    bone: () => glass(0xd9c7a3, 0.10, 0.75),
    corridors: () => glass(0x7a52c7, 0.10, 0.55),
    cement: () => new THREE.MeshLambertMaterial({ color: 0x1a73b3, side: THREE.DoubleSide }),
    needles: () => new THREE.MeshLambertMaterial({ color: 0x4a4f57, side: THREE.DoubleSide }),
    fracture: () => new THREE.MeshBasicMaterial({ vertexColors: true, side: THREE.DoubleSide }),
  };
  const parts = {};
  for (const [name, layer] of Object.entries(scene.layers)) {
    const made = name === "fracture" ? geometry(layer).toNonIndexed() : geometry(layer);
    parts[name] = new THREE.Mesh(made, materials[name]());
    parts[name].renderOrder = name === "bone" ? 2 : name === "corridors" ? 1 : 0;
    world.add(parts[name]);
  }
  const ramp = scene.colours.map((hex) => new THREE.Color(hex));
  const colours = {};
  for (const [state, packed] of Object.entries(scene.motion)) {
    const values = new Float32Array(bytes(packed));
    const paint = new Float32Array(9 * values.length);
    values.forEach((value, k) => {
      const step = Math.round((value / (scene.top_um || 1)) * (ramp.length - 1));
      const colour = ramp[Math.min(Math.max(step, 0), ramp.length - 1)];
      for (let corner = 0; corner < 3; corner += 1) colour.toArray(paint, 9 * k + 3 * corner);
    });
    colours[state] = new THREE.BufferAttribute(paint, 3);
  }

  const turn = { around: 0, over: 0.12, far: 1 };
  const draw = () => {
    const wide = canvas.clientWidth, high = canvas.clientHeight;
    if (!wide || !high) return;
    renderer.setPixelRatio(Math.min(window.devicePixelRatio || 1, 2));
    renderer.setSize(wide, high, false);
    camera.aspect = wide / high;
    const angle = Math.min(1, camera.aspect) * Math.tan((camera.fov * Math.PI) / 360);
    const distance = (0.86 * turn.far * scene.radius) / Math.sin(Math.atan(angle));
    // The anatomical frame: z is up, the front of the body looks toward -y.
    camera.up.set(0, 0, 1);
    camera.position.set(
      centre.x + distance * Math.cos(turn.over) * Math.sin(turn.around),
      centre.y - distance * Math.cos(turn.over) * Math.cos(turn.around),
      centre.z + distance * Math.sin(turn.over),
    );
    camera.near = distance / 50;
    camera.far = distance * 5;
    camera.lookAt(centre);
    camera.updateProjectionMatrix();
    lamp.position.copy(camera.position).add(new THREE.Vector3(-scene.radius, 0, scene.radius));
    renderer.render(world, camera);
  };
  const show = () => {
    const state = view.querySelector(".state :checked").value;
    if (parts.fracture) parts.fracture.geometry.setAttribute("color", colours[state]);
    for (const box of view.querySelectorAll(".layers input")) {
      const treated = box.value === "cement" || box.value === "needles";
      parts[box.value].visible = box.checked && (state === "after" || !treated);
    }
    canvas.dataset.state = state;
    draw();
  };
  const move = (around, over, far) => {
    turn.around += around;
    turn.over = Math.min(Math.max(turn.over + over, -1.5), 1.5);
    turn.far = Math.min(Math.max(turn.far * far, 0.15), 4);
    draw();
  };
  const from = { front: [0, 0.12], back: [Math.PI, 0.12], left: [Math.PI / 2, 0.12], above: [0, 1.5] };
  view.addEventListener("change", show);
  for (const button of view.querySelectorAll(".from button")) {
    button.addEventListener("click", () => { [turn.around, turn.over] = from[button.value]; draw(); });
  }
  const fingers = new Map();
  canvas.addEventListener("pointerdown", (event) => {
    fingers.set(event.pointerId, event);
    canvas.setPointerCapture(event.pointerId);
  });
  const spread = () => { const [a, b] = [...fingers.values()]; return Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY); };
  canvas.addEventListener("pointermove", (event) => {
    const last = fingers.get(event.pointerId);
    if (!last) return;
    const old = fingers.size === 2 ? spread() : 0;
    fingers.set(event.pointerId, event);
    if (fingers.size === 2) move(0, 0, old / Math.max(spread(), 1));
    else move((last.clientX - event.clientX) / 150, (event.clientY - last.clientY) / 150, 1);
  });
  for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, (event) => fingers.delete(event.pointerId));
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    move(0, 0, Math.exp(Math.sign(event.deltaY) * 0.1));
  }, { passive: false });
  const keys = { ArrowLeft: [0.15, 0, 1], ArrowRight: [-0.15, 0, 1], ArrowUp: [0, 0.15, 1], ArrowDown: [0, -0.15, 1],
    "+": [0, 0, 0.9], "=": [0, 0, 0.9], "-": [0, 0, 1.1] };
  canvas.addEventListener("keydown", (event) => {
    if (!keys[event.key]) return;
    event.preventDefault();
    move(...keys[event.key]);
  });
  new ResizeObserver(draw).observe(canvas);
  show();
  canvas.dataset.ready = "yes";
})();
