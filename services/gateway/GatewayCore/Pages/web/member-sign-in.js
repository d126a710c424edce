// Signing in by a one-time code to the phone.

import {call, session} from "./api.js";
import {say} from "./language.js";
import {busy, button, field, form, make, notice, show, showError} from "./page.js";

// The form of a code: its identifier and its signature in Crockford's base 32.
const CODE_FORM = /^YJ1-[0-9A-Z]{52}$/i;

// Asks for the phone, sends a code to it, asks for the code.
export function showSignIn(place, app, message, phone = "") {
  // A text message costs money: what cannot be a code is not worth one.
  if (app.code && !CODE_FORM.test(app.code.trim())) return showWrongCode(place, app);
  return show(place,
    make("h1", {}, say(app.code ? "sign-in.scanned" : "sign-in.title")), message,
    make("p", {}, say(app.code ? "sign-in.about-code" : "sign-in.about")),
    form([field({
      path: "phone", label: say("field.phone"), type: "tel", inputmode: "tel",
      autocomplete: "tel-national", maxlength: 20, required: true, value: phone,
    })], say("sign-in.send"), async values => {
      const sent = await call("POST", "/v1/sessions:requestMemberCode", values);
      app.go(next => showCodeEntry(next, app, values.phone, sent));
    }));
}

function showWrongCode(place, app) {
  show(place, make("h1", {}, say("code.bad")), notice("bad", say("code.malformed")),
    make("p", {}, say("code.wrong")),
    button(say("code.without"), () => {
      app.code = "";
      history.replaceState(null, "", "/me");
      app.signIn();
    }, {class: "main"}));
}

function showCodeEntry(place, app, phone, sent) {
  const number = field({
    path: "memberNumber", label: say("field.member-number"), hint: say("sign-in.several"),
    autocomplete: "off",
  });
  number.hidden = true;
  show(place,
    make("h1", {}, say("sign-in.code-title")),
    notice("good", say("sign-in.sent", {
      phone, minutes: Math.round(Number.parseFloat(sent.lifetime) / 60),
    })),
    form([field({
      path: "code", label: say("field.code"), inputmode: "numeric", maxlength: 6, required: true,
      autocomplete: "one-time-code", pattern: "[0-9]*",
    }), number], say("sign-in"), async ({code, memberNumber}) => {
      try {
        const answer = await call("POST", "/v1/sessions:signInMember", {phone, code, memberNumber});
        session.begin(answer.token);
        sessionStorage.setItem("member.phone", phone);
        sessionStorage.setItem("member.session", answer.session.name);
      } catch (error) {
        if (error.reason === "MEMBER_AMBIGUOUS") number.hidden = false;
        // The service says it of passwords, too.
        if (error.reason === "SIGN_IN_REFUSED") error.message = say("sign-in.wrong");
        throw error;
      }
      app.home();
    }),
    make("div", {class: "stack"}, resendButton(phone, Number.parseFloat(sent.retryDelay)),
      button(say("sign-in.other-phone"), () => app.signIn(), {class: "quiet wide"})));
}

// A button that sends another code, once that is allowed.
function resendButton(phone, seconds) {
  const problem = make("div", {"aria-live": "assertive"});
  const node = make("button", {type: "button", class: "wide"});
  node.addEventListener("click", () => busy(node, async () => {
    problem.replaceChildren();
    try {
      const sent = await call("POST", "/v1/sessions:requestMemberCode", {phone});
      wait(Number.parseFloat(sent.retryDelay));
    } catch (error) {
      problem.replaceChildren(showError(problem, error));
      if (error.retrySeconds) wait(error.retrySeconds);
    }
  }));

  function wait(delay) {
    const end = Date.now() + delay * 1000;
    const tick = () => {
      const left = Math.ceil((end - Date.now()) / 1000);
      node.disabled = left > 0;
      node.textContent = left > 0 ? say("sign-in.wait", {seconds: left}) : say("sign-in.resend");
      if (left > 0 && (node.isConnected || left > delay - 1)) setTimeout(tick, 500);
    };
    tick();
  }

  wait(seconds);
  return make("div", {}, node, problem);
}
