import { createRoot } from "react-dom/client";
import "./workers.js";
import { Page } from "./page.jsx";
import "./styles.css";

createRoot(document.getElementById("page")).render(<Page />);
